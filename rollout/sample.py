"""What was measured of one revision: how many requests, how many failed, how long they took."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

__all__ = ["EMPTY", "Histogram", "Sample"]


class Histogram(NamedTuple):
    """Seconds in buckets. `counts[i]` lie from `bounds[i - 1]` to `bounds[i]`; the last bucket has no upper bound."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.counts)

    def above(self, seconds: float) -> float:
        """How many took longer, a bucket that holds `seconds` being divided evenly."""
        found = 0.0
        for index, count in enumerate(self.counts):
            low, high = self._span(index)
            if low >= seconds:
                found += count
            elif high > seconds:
                found += count * (high - seconds) / (high - low)
        return found

    def quantile(self, share: float) -> float:
        """What `share` of them did not exceed; 0 where there are none."""
        if not self.total:
            return 0.0
        wanted = share * self.total
        for index, reached in enumerate(accumulate(self.counts)):
            if reached >= wanted and self.counts[index]:
                low, high = self._span(index)
                return high - (high - low) * (reached - wanted) / self.counts[index]
        return self.bounds[-1]

    def _span(self, index: int) -> tuple[float, float]:
        """The last bucket is taken to be as wide as all before it."""
        low = self.bounds[index - 1] if index else 0.0
        return low, self.bounds[index] if index < len(self.bounds) else 2 * low


class Sample(NamedTuple):
    """Requests that were taken on, those among them that failed, and the seconds of those that did not.

    `turned_away` were not taken on (429), by Cloud Run or by the worker, and are none of the `requests`.
    """

    requests: int
    errors: int
    seconds: Histogram
    turned_away: int = 0

    @property
    def error_rate(self) -> float:
        return self.errors / self.requests if self.requests else 0.0

    def __str__(self) -> str:
        away = f", {self.turned_away} turned away" if self.turned_away else ""
        if not self.requests:
            return f"no requests{away}"
        middle, late = self.seconds.quantile(0.5), self.seconds.quantile(0.95)
        return f"{self.errors} of {self.requests} failed{away}, p50 {middle:.1f} s, p95 {late:.1f} s"


EMPTY = Sample(0, 0, Histogram((), ()))
