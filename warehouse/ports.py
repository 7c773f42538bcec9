"""What the cost table needs from the outside, as protocols; `cloud/` implements them, tests fake them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

__all__ = ["BillableTime", "Queries", "Refusal", "Row", "RowTable"]


class Row(NamedTuple):
    """JSON values by column. Rows of one `id` are the same row, sent again."""

    id: str
    values: Mapping[str, object]


class Refusal(NamedTuple):
    """A row that was not stored, by its place among those sent. `permanent` if it never will be."""

    place: int
    reason: str
    permanent: bool


class RowTable(Protocol):
    def insert(self, rows: Sequence[Row]) -> Sequence[Refusal]:
        """Store the rows, each on its own, and tell which were refused. Raises `TransientError`."""


class Queries(Protocol):
    def rows(self, sql: str, parameters: Mapping[str, datetime | str]) -> list[dict[str, Any]]:
        """The result of a query with `@name` parameters. Raises `TransientError`, `PermanentError` for wrong SQL."""


class BillableTime(Protocol):
    def by_hour(self, service: str, since: datetime, until: datetime) -> Mapping[datetime, float]:
        """Billed seconds of all instances of a Cloud Run service, by the hour's start; `since`, `until` whole hours.

        Raises `TransientError`.
        """
