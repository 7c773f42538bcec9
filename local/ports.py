"""Free TCP ports of this machine."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Final

__all__ = ["LOOPBACK", "free_ports"]

LOOPBACK: Final = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """That many different ports on which nothing listens now. Another program may still take one first."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [int(each.getsockname()[1]) for each in sockets]
