"""What a function can never make anything of goes to the dead letters as it came, with who refused it and why.

A push subscription slows down as a whole while one of its messages keeps coming back, so such a message is acknowledged
once the dead letters have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from events.errors import InvalidMessageError
from events.messages import PubsubPush
from events.validation import convert

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudevents.http import CloudEvent

    from events.errors import PermanentError
    from jobs.ports import Publisher

__all__ = ["DEAD_LETTERS", "REASON", "REFUSED_BY", "Refusals", "labels"]

DEAD_LETTERS: Final = "dead-letters"
"""The topic."""
REASON: Final = "reason"
REFUSED_BY: Final = "refused-by"

_MOST_BYTES: Final = 1024
"""Pub/Sub's limit for the value of an attribute."""


def labels(by: str, reason: str) -> dict[str, str]:
    """Attributes to put beside those of a message that is given up. `by` is named like the subscription."""
    return {REFUSED_BY: by, REASON: reason.encode()[:_MOST_BYTES].decode(errors="ignore")}


class Refusals:
    """Of the component `by`. Both methods raise `TransientError` where the message has to come again."""

    def __init__(self, publisher: Publisher, *, by: str) -> None:
        self._publisher = publisher
        self._by = by

    def refuse(self, event: CloudEvent, error: PermanentError) -> None:
        """Give up the message that an event of Pub/Sub tells of, or its whole body where that tells of none."""
        try:
            message = convert(event.data, PubsubPush).message
        except InvalidMessageError:
            self.give_up(_as_bytes(event.data), {"ce-id": event["id"]}, error)
        else:
            self.give_up(message.data, message.attributes, error)

    def give_up(self, data: bytes, attributes: Mapping[str, str], error: PermanentError) -> None:
        self._publisher.publish(DEAD_LETTERS, data, {**attributes, **labels(self._by, error.message)})


def _as_bytes(data: object) -> bytes:
    """functions-framework hands over bytes where a body was no JSON."""
    return data if isinstance(data, bytes) else msgspec.json.encode(data)
