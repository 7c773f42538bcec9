"""A warm-up that was asked for: what it may cost at most, and what it did cost once that is known."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from planner.budget import Cause, Spent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from planner.policy import Decision
    from planner.worker import Worker

__all__ = ["Warmup", "added_seconds", "total", "warmup_of"]

_MINUTE: Final = timedelta(minutes=1)


class Warmup(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds` of an instance are what it adds to the bill if nobody comes, and `nano_usd` (10^-9) their price."""

    at: datetime
    action: Literal["wake", "extend"]
    cause: Cause
    seconds: Annotated[float, msgspec.Meta(ge=0)]
    nano_usd: Annotated[int, msgspec.Meta(ge=0)]


def warmup_of(decision: Decision, at: datetime) -> Warmup | None:
    """What acting on the decision would be; None if it is to do nothing."""
    if decision.action == "none" or decision.cause is None:
        return None
    return Warmup(
        at=at,
        action=decision.action,
        cause=decision.cause,
        seconds=decision.seconds,
        nano_usd=decision.nano_usd,
    )


def added_seconds(warmup: Warmup, jobs: Iterable[datetime], now: datetime, worker: Worker) -> float | None:
    """The seconds it added to the bill, or None while that is open.

    `jobs` are the minutes in which jobs were taken up. Once one was, the worker would be awake anyway: a wake has
    cost the time it stood ready for nobody, an extension the time past the end that the worker would have had. Each
    is counted to the end of the job's minute, so never too little.
    """
    woken = warmup.action == "wake"
    end = warmup.at + timedelta(seconds=worker.wake_seconds if woken else worker.idle_seconds)
    idle_from = end - timedelta(seconds=warmup.seconds - (worker.cold_start_seconds if woken else 0.0))
    # A job in the very minute of an extension may have come before it; a cold worker had none before its wake.
    after = warmup.at - _MINUTE if woken else warmup.at
    first = min((job for job in jobs if after < job < end), default=None)
    if first is not None:
        return min(warmup.seconds, max(0.0, (first + _MINUTE - idle_from).total_seconds()))
    return warmup.seconds if now >= end + _MINUTE else None


def total(amounts: Iterable[tuple[Cause, int]]) -> Spent:
    """Of amounts in 10^-9 USD."""
    spent = Spent()
    for cause, nano_usd in amounts:
        spent = spent.plus(cause, nano_usd)
    return spent
