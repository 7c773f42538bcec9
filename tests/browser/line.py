"""A server of one connection at a time that keeps to no server's manners."""

from __future__ import annotations

import socket
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from local.ports import LOOPBACK

if TYPE_CHECKING:
    from types import TracebackType

    from playwright.sync_api import Route

__all__ = ["Line"]


class Line(ABC):
    """Use as a context manager. `take` is the handler of a route: it leads that request here.

    `over` is set when the manager is left, so that whatever waits here ends.
    """

    def __init__(self, *, receive_buffer: int | None = None) -> None:
        self.over = threading.Event()
        self._server = socket.create_server((LOOPBACK, 0))
        if receive_buffer is not None:
            self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._server.settimeout(0.1)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._thread.join()
        self._server.close()

    def take(self, route: Route) -> None:
        there = urlsplit(route.request.url)._replace(netloc=f"{LOOPBACK}:{self._server.getsockname()[1]}")
        route.continue_(url=there.geturl())

    @abstractmethod
    def answer(self, connection: socket.socket) -> None:
        """What becomes of one connection, which is closed afterwards."""

    def _serve(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._server.accept()
            except TimeoutError:
                continue
            with connection:
                self.answer(connection)
