"""Free TCP ports of this machine."""

from __future__ import annotations

import os
import random
import socket
from contextlib import ExitStack
from typing import Final

__all__ = ["LOOPBACK", "PORTS", "free_ports"]

LOOPBACK: Final = "127.0.0.1"

PORTS: Final = range(20_000, 32_768)
"""Below those that Linux (from 32768) and macOS (from 49152) give to connections, and to servers that ask for any port:
one of theirs may be taken before its server is up. Google's emulator then waits forever, for it may be its own."""

_STRETCH: Final = 64


def free_ports(count: int) -> list[int]:
    """That many different ports on which nothing listens now. Raises `OSError` where there are not so many.

    Another process may still take one first, which is unlikely: each begins to look in a stretch of its own.
    """
    begin = os.getpid() * _STRETCH
    nearest = random.SystemRandom().sample(range(_STRETCH), _STRETCH)
    found: list[int] = []
    with ExitStack() as held:
        for offset in (*nearest, *range(_STRETCH, len(PORTS))):
            port = PORTS[(begin + offset) % len(PORTS)]
            if _bound(held.enter_context(socket.socket()), port):
                found.append(port)
            if len(found) == count:
                return found
    raise OSError(f"there are no {count} free ports from {PORTS.start} to {PORTS.stop - 1}")


def _bound(candidate: socket.socket, port: int) -> bool:
    try:
        candidate.bind((LOOPBACK, port))
    except OSError:
        return False
    return True
