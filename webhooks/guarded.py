"""Receivers that keep failing are left alone for a while: nobody waits for their time-outs, and they can recover."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cloud.breaker import Breakers
    from webhooks.ports import Answer, Post, Sender

__all__ = ["GuardedSender", "circuit_of"]

_TOO_MANY: Final = 429


def circuit_of(receiver: str) -> str:
    """The name of the circuit of a `TENANT/NAME`. Each receiver has its own: a bad one says nothing of any other."""
    return f"webhook:{receiver}"


class GuardedSender:
    """`webhooks.ports.Sender` with a circuit for each receiver.

    No answer, a server's error and 429 are failures; any other answer shows that the receiver is alive.
    """

    def __init__(self, sender: Sender, breakers: Breakers) -> None:
        self._sender = sender
        self._breakers = breakers

    def send(self, post: Post) -> Answer:
        """As the sender does, or raises `CircuitOpenError` and sends nothing. A last chance is always given."""
        with self._breakers.call(circuit_of(post.receiver), insist=post.last) as call:
            answer = self._sender.send(post)
            if answer.status == _TOO_MANY or answer.status >= 500:
                call.fail()
            return answer
