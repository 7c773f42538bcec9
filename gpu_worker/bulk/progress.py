"""How far a task is, as numbers for a log line."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_worker.bulk.report import Entry
    from jobs.costs import Billing

__all__ = ["Progress"]


class Progress(NamedTuple):
    """Counts of photos. `recalled` were settled by earlier attempts, `seconds` are those of this one.

    `usd` is what the photos cost until now, in all attempts; `instance_usd` what this attempt's machine costs, from
    the start of its process, whatever it did.
    """

    total: int
    settled: int
    completed: int
    failed: int
    cached: int
    recalled: int
    seconds: float
    usd: Decimal
    instance_usd: Decimal

    @classmethod
    def of(cls, entries: Iterable[Entry], *, total: int, recalled: int, seconds: float, billing: Billing) -> Self:
        entries = tuple(entries)
        failed = sum(entry.code is not None for entry in entries)
        return cls(
            total=total,
            settled=len(entries),
            completed=len(entries) - failed,
            failed=failed,
            cached=sum(entry.cache == "hit" for entry in entries),
            recalled=recalled,
            seconds=seconds,
            usd=sum((entry.usd for entry in entries), Decimal(0)),
            instance_usd=billing.price(billing.usage(seconds)),
        )

    @property
    def per_second(self) -> float:
        """Photos that this attempt settles in a second."""
        return (self.settled - self.recalled) / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None while nothing tells."""
        return (self.total - self.settled) / self.per_second if self.per_second else None

    def fields(self) -> dict[str, object]:
        """For the log: rounded, money as text."""
        left = self.seconds_left
        return {
            "total": self.total,
            "settled": self.settled,
            "completed": self.completed,
            "failed": self.failed,
            "cached": self.cached,
            "recalled": self.recalled,
            "seconds": round(self.seconds, 1),
            "photos_per_second": round(self.per_second, 3),
            "seconds_left": None if left is None else round(left),
            "usd": str(self.usd),
            "instance_usd": str(self.instance_usd),
        }
