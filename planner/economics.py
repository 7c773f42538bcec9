"""What warming is expected to save and to cost, against doing nothing.

Let T be the time until the next job that needs the worker, S the seconds of a cold start, W those for which an idle
instance is kept and billed, c the instance's price a second, and v what a second of a shopper's waiting is worth.

**Waking a cold worker.** A job at T finds it ready, or starting: its shopper saves min(T, S) seconds. Without the
wake that job would have started the instance itself, so what the wake adds to the bill is only the time it stood
ready too early, max(0, T - S). If nobody comes within S + W, all of S + W was wasted.

**Extending a warm one** whose idle time ends in R seconds, by a request now that moves the end to W. A job before R
changes nothing. A job between R and W saves S seconds of waiting, and the bill of a second start: it costs T - R - S.
If nobody comes until W, the W - R were wasted.

Only the first job counts. Others that arrive during the start it avoids would have waited too, so the value is
understated, never overstated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from planner.worker import Worker

__all__ = ["Appraisal", "Survival", "appraise_extension", "appraise_wake"]

Survival = Callable[[float], float]
"""The probability that no job arrives within so many seconds from now: 1 at 0, never rising."""

_START_POINTS = 9
_IDLE_POINTS = 33
_IDLE_GROWTH = 1.12


class Appraisal(msgspec.Struct, frozen=True, kw_only=True):
    """Expectations. `probability` is that of a job in the time which the action makes warm."""

    probability: float
    seconds_saved: float
    value_usd: float
    cost_usd: float

    @property
    def pays(self) -> bool:
        return self.value_usd > self.cost_usd


def appraise_wake(survival: Survival, worker: Worker, *, usd_per_second_waited: float) -> Appraisal:
    """Start a cold worker now."""
    start, life = worker.cold_start_seconds, worker.wake_seconds
    nobody = survival(life)
    saved = _integral(survival, _even(0.0, start)) - start * nobody
    billed = _integral(survival, _growing(start, life)) + start * nobody
    return Appraisal(
        probability=1.0 - nobody,
        seconds_saved=saved,
        value_usd=usd_per_second_waited * saved,
        cost_usd=worker.usd_per_second * billed,
    )


def appraise_extension(
    survival: Survival, worker: Worker, *, remaining: float, usd_per_second_waited: float
) -> Appraisal:
    """Ask a warm worker, which would be gone in `remaining` seconds, to stay."""
    remaining = min(max(remaining, 0.0), worker.idle_seconds)
    too_late = survival(remaining) - survival(worker.idle_seconds)
    saved = worker.cold_start_seconds * too_late
    billed = _integral(survival, _growing(remaining, worker.idle_seconds)) - saved
    return Appraisal(
        probability=too_late,
        seconds_saved=saved,
        value_usd=usd_per_second_waited * saved,
        cost_usd=worker.usd_per_second * billed,
    )


def _integral(survival: Survival, points: Sequence[float]) -> float:
    """By trapezoids: half a second off at most on the curves that arrivals and intents make, which is 0.0002 USD."""
    heights = [survival(point) for point in points]
    return sum(
        (points[index + 1] - points[index]) * (heights[index] + heights[index + 1]) / 2
        for index in range(len(points) - 1)
    )


def _even(first: float, last: float) -> list[float]:
    step = (last - first) / (_START_POINTS - 1)
    return [first + step * index for index in range(_START_POINTS)]


def _growing(first: float, last: float) -> list[float]:
    """Denser at the beginning, where a chosen file makes the curve fall steeply."""
    whole = _IDLE_GROWTH ** (_IDLE_POINTS - 1) - 1.0
    return [first + (last - first) * (_IDLE_GROWTH**index - 1.0) / whole for index in range(_IDLE_POINTS)]
