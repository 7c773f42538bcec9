"""A connection that brings an answer in pieces, and may fall silent in the middle of it."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from local.ports import LOOPBACK

if TYPE_CHECKING:
    from types import TracebackType

    from playwright.sync_api import Route

__all__ = ["SlowLine"]

_HEAD: Final = (
    "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {}\r\n"
    "Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n"
)


class SlowLine:
    """Use as a context manager. Answers each request with those pieces, with a pause in seconds before each.

    With `ends` False the last piece never comes. `take` is the handler of a route: it leads that request here.
    """

    def __init__(self, pieces: list[bytes], *, pause: float, ends: bool = True) -> None:
        self._pieces = pieces
        self._pause = pause
        self._ends = ends
        self._over = threading.Event()
        self._server = socket.create_server((LOOPBACK, 0))
        self._server.settimeout(0.1)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._server.close()

    def take(self, route: Route) -> None:
        there = urlsplit(route.request.url)._replace(netloc=f"{LOOPBACK}:{self._server.getsockname()[1]}")
        route.continue_(url=there.geturl())

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                line, _ = self._server.accept()
            except TimeoutError:
                continue
            with line:
                self._answer(line)

    def _answer(self, line: socket.socket) -> None:
        line.recv(65_536)
        line.sendall(_HEAD.format(sum(map(len, self._pieces))).encode())
        *before, last = self._pieces
        for piece in before:
            self._over.wait(self._pause)
            line.sendall(piece)
        self._over.wait(self._pause if self._ends else None)
        line.sendall(last)
