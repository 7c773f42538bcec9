"""Names to addresses, within a time limit that `getaddrinfo` itself does not have."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

from webhooks.errors import UnreachableError

if TYPE_CHECKING:
    from webhooks.addresses import Address

__all__ = ["Resolve", "resolve"]


class Resolve(Protocol):
    def __call__(self, host: str, port: int, *, seconds: float) -> tuple[Address, ...]:
        """Every address of `host`, the preferred one first. Raises `UnreachableError`."""


def resolve(host: str, port: int, *, seconds: float) -> tuple[Address, ...]:
    """As the system resolves it.

    Each look-up has a thread of its own, which ends when the system gives up: with a pool, the names of one receiver
    whose name server hangs would hold up all others.
    """
    found: Future[tuple[Address, ...]] = Future()
    threading.Thread(target=_look_up, args=(host, port, found), name="resolve", daemon=True).start()
    try:
        return found.result(timeout=seconds)
    except TimeoutError:
        raise UnreachableError("timeout") from None
    except (OSError, UnicodeError):
        raise UnreachableError("dns") from None


def _look_up(host: str, port: int, found: Future[tuple[Address, ...]]) -> None:
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found.set_result(tuple(dict.fromkeys(ip_address(answer[4][0]) for answer in answers)))
    except (OSError, ValueError) as error:
        found.set_exception(error)
