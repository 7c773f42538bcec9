"""After an attempt: is the receiver told, told again later, or given up?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from events.messages import DeliveryRequested

__all__ = ["Outcome", "RetryPolicy", "Step", "Tried", "next_step", "retry_after"]

Outcome = Literal["delivered", "parked", "rejected", "expired"]

_RETRYABLE: Final = frozenset({408, 425, 429})
_MOST_DOUBLINGS: Final = 32


class Tried(NamedTuple):
    """What came of an attempt: a status, or a problem with one word.

    One that was `spared` was not made at all, since the receiver is left alone for a while.
    """

    status: int | None = None
    problem: str | None = None
    retry_after: str | None = None
    spared: bool = False

    @property
    def told(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def final(self) -> bool:
        """Whether the same request can't fare better later."""
        if self.status is None:
            return self.problem == "forbidden"
        return 400 <= self.status < 500 and self.status not in _RETRYABLE


class Step(NamedTuple):
    """`due` is there if the delivery is to be parked until then."""

    outcome: Outcome
    due: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Pauses double from `first` to `longest`, until `window` after the first attempt, which makes a last one."""

    first: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(hours=4)
    window: timedelta = timedelta(hours=24)

    def end(self, delivery: DeliveryRequested, *, now: datetime) -> datetime:
        """From when on an attempt is the last one."""
        return (delivery.first_attempt_at or now) + self.window

    def pause(self, delivery_id: str, attempt: int) -> timedelta:
        """After that attempt (from 1): between half and all of the doubled pause.

        Which part is a hash of the delivery and the attempt, so that deliveries that failed together don't come back
        together, and an attempt that is made twice has the same pause.
        """
        doubled = min(self.first * (1 << min(attempt - 1, _MOST_DOUBLINGS)), self.longest)
        digest = hashlib.sha256(f"{delivery_id}\x1f{attempt}".encode()).digest()
        return doubled * (1 + int.from_bytes(digest[:4], "big") / 2**32) / 2


def next_step(delivery: DeliveryRequested, tried: Tried, policy: RetryPolicy, *, now: datetime) -> Step:
    """A receiver's `Retry-After` can make a pause longer than the policy's, up to the policy's longest.

    No delivery expires by an attempt that was not made.
    """
    if tried.told:
        return Step("delivered")
    if tried.final:
        return Step("rejected")
    end = policy.end(delivery, now=now)
    if now >= end and not tried.spared:
        return Step("expired")
    asked = min(retry_after(tried.retry_after, now=now), policy.longest)
    return Step("parked", min(now + max(policy.pause(delivery.delivery_id, delivery.attempt), asked), max(end, now)))


def retry_after(header: str | None, *, now: datetime) -> timedelta:
    """The pause that the header asks for, in seconds or as a date (RFC 9110, 10.2.3); none for what is neither."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text[:9]))
    try:
        moment = parsedate_to_datetime(text)
        return max(moment.replace(tzinfo=moment.tzinfo or UTC) - now, timedelta(0))
    except (ValueError, OverflowError):
        return timedelta(0)
