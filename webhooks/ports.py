"""What a delivery needs from the outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Answer", "Post", "Sender"]


class Post(NamedTuple):
    """One request. `receiver` is `TENANT/NAME`: the same for all deliveries to one receiver, and fit for logs.

    `last` says that the delivery is given up unless this one succeeds.
    """

    receiver: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    last: bool = False


class Answer(NamedTuple):
    """What the receiver said. `retry_after` is that header as it came."""

    status: int
    retry_after: str | None = None


class Sender(Protocol):
    """Every outbound call passes here, so whatever watches over receivers wraps it, as the circuit breaker does."""

    def send(self, post: Post) -> Answer:
        """One POST, whatever the answer's status.

        Raises `UnreachableError`, and `ForbiddenTargetError` or `CircuitOpenError` where nothing was sent.
        """
