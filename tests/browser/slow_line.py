"""A connection that brings an answer in pieces, and may fall silent in the middle of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.browser.line import Line

if TYPE_CHECKING:
    import socket

__all__ = ["SlowLine"]

_HEAD: Final = (
    "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {}\r\n"
    "Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n"
)


class SlowLine(Line):
    """Answers each request with those pieces, with a pause in seconds before each.

    With `ends` False the last piece never comes.
    """

    def __init__(self, pieces: list[bytes], *, pause: float, ends: bool = True) -> None:
        super().__init__()
        self._pieces = pieces
        self._pause = pause
        self._ends = ends

    def answer(self, connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(_HEAD.format(sum(map(len, self._pieces))).encode())
        *before, last = self._pieces
        for piece in before:
            self.over.wait(self._pause)
            connection.sendall(piece)
        self.over.wait(self._pause if self._ends else None)
        connection.sendall(last)
