"""The messages of a delivery: its first attempt, each further one, and what is left of it when it is given up.

The id of an attempt's event depends on nothing but the result event, the receiver and the attempt's number, so that
whatever makes it twice makes the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from events.envelope import Event
from events.ids import event_id
from events.messages import DeliveryRequested
from jobs.refusals import DEAD_LETTERS, labels

if TYPE_CHECKING:
    from datetime import datetime

    from events.envelope import Outgoing
    from events.messages import CompletedNotice, FailedNotice, ResultCompleted, ResultFailed

__all__ = ["dead_letter", "first_attempt", "next_attempt"]


def first_attempt(
    result: Event[ResultCompleted | ResultFailed],
    receiver: str,
    notice: CompletedNotice | FailedNotice,
    *,
    now: datetime,
) -> Event[DeliveryRequested]:
    delivery_id = event_id(result.id, DeliveryRequested.type, receiver)
    return Event(
        id=_attempt_id(delivery_id, 1),
        source="//cutout/notify",
        subject=result.subject,
        time=now,
        traceparent=result.traceparent,
        data=DeliveryRequested(
            delivery_id=delivery_id, receiver=receiver, occurred_at=result.time, notice=notice, attempt=1
        ),
    )


def next_attempt(failed: Event[DeliveryRequested], *, now: datetime) -> Event[DeliveryRequested]:
    """The attempt after one that failed at `now`."""
    delivery = msgspec.structs.replace(
        failed.data,
        attempt=failed.data.attempt + 1,
        first_attempt_at=failed.data.first_attempt_at or now,
    )
    return msgspec.structs.replace(
        failed,
        id=_attempt_id(delivery.delivery_id, delivery.attempt),
        source="//cutout/deliver",
        time=now,
        data=delivery,
    )


def dead_letter(failed: Event[DeliveryRequested], reason: str) -> Outgoing:
    """The first attempt once more, for the topic of dead letters: who sends it again to its own topic starts anew.

    Two further attributes say who gave it up and why.
    """
    delivery = msgspec.structs.replace(failed.data, attempt=1, first_attempt_at=None)
    anew = msgspec.structs.replace(failed, id=_attempt_id(delivery.delivery_id, 1), data=delivery)
    message = anew.outgoing("deliveries")
    attributes = message.attributes | labels("deliver", reason)
    return msgspec.structs.replace(message, topic=DEAD_LETTERS, attributes=attributes)


def _attempt_id(delivery_id: str, attempt: int) -> str:
    return event_id(delivery_id, DeliveryRequested.type, f"attempt-{attempt}")
