"""What the cost table knows of the worker's hours, for their reconciliation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from events.prices import Usage
from warehouse.reconciliation import RecordedHour, Request, Revision
from warehouse.sql import query

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from warehouse.ports import Queries

__all__ = ["WorkerHours"]


class WorkerHours:
    def __init__(self, queries: Queries, *, dataset: str, region: str) -> None:
        self._queries = queries
        self._dataset = dataset
        self._region = region

    def recorded(self, since: datetime, until: datetime) -> dict[datetime, RecordedHour]:
        """By the hour's start; hours without a cost are left out. Raises `TransientError`."""
        return {row["hour"]: _recorded(row) for row in self._ask("recorded_hours", since, until)}

    def requests(self, since: datetime, until: datetime) -> list[Request]:
        """In order of time, at most two a minute. Raises `TransientError`."""
        rows = self._ask("requests_by_minute", since, until)
        return [Request(row["last_at"], warm_up=row["warm_up"]) for row in rows]

    def _ask(self, name: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
        parameters: Mapping[str, datetime | str] = {"region": self._region, "since": since, "until": until}
        return self._queries.rows(query(name, self._dataset), parameters)


def _recorded(row: dict[str, Any]) -> RecordedHour:
    return RecordedHour(
        jobs_usd=row["jobs_usd"],
        jobs=Usage(gpu_seconds=row["gpu_seconds"], vcpu_seconds=row["vcpu_seconds"], gib_seconds=row["gib_seconds"]),
        idle=_revision(row["idle_revision"], row["idle_usd"]),
        warmup=_revision(row["warmup_revision"], row["warmup_usd"]),
    )


def _revision(number: int | None, usd: Decimal) -> Revision | None:
    return None if number is None else Revision(number, usd)
