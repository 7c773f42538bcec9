"""A connection that takes the beginning of an upload and no more."""

from __future__ import annotations

import socket
import struct
import threading
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from local.ports import LOOPBACK

if TYPE_CHECKING:
    from types import TracebackType

    from playwright.sync_api import Route

__all__ = ["DyingLine"]

_CHUNK: Final = 16_384
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER for no time: the other side learns of it by a reset."""


class DyingLine:
    """Use as a context manager. After so many bytes it resets the connection or, with `closes` False, falls silent.

    `take` is the handler of a route: it leads that request here.
    """

    def __init__(self, *, after: int, closes: bool = True) -> None:
        self.heard = 0
        self._after = after
        self._closes = closes
        self._over = threading.Event()
        self._server = socket.create_server((LOOPBACK, 0))
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _CHUNK)
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
                self._listen(line)

    def _listen(self, line: socket.socket) -> None:
        line.settimeout(5)
        while self.heard < self._after and (chunk := line.recv(_CHUNK)):
            self.heard += len(chunk)
        if self._closes:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        else:
            self._over.wait()
