"""A connection that takes the beginning of an upload and no more."""

from __future__ import annotations

import socket
import struct
from typing import Final

from tests.browser.line import Line
from tests.waiting import PATIENCE

__all__ = ["DyingLine"]

_CHUNK: Final = 16_384
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER for no time: the other side learns of it by a reset."""


class DyingLine(Line):
    """After so many bytes it resets the connection or, with `closes` False, falls silent."""

    def __init__(self, *, after: int, closes: bool = True) -> None:
        super().__init__(receive_buffer=_CHUNK)
        self.heard = 0
        self._after = after
        self._closes = closes

    def answer(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        while self.heard < self._after and (chunk := connection.recv(_CHUNK)):
            self.heard += len(chunk)
        if self._closes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        else:
            self.over.wait()
