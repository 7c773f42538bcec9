"""The cost table as a test writes and reads it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from events.envelope import Event
from events.messages import CostRecorded
from tests.unit.examples import JOB_ID, MODEL, TRACEPARENT
from warehouse.rows import cost_row

if TYPE_CHECKING:
    from cloud.bigquery import BigQueryQueries, BigQueryTable

__all__ = ["NOON", "REGION", "CostTable", "cost", "event", "job_cost"]

NOON: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
REGION: Final = "europe-west4"


@dataclass(frozen=True, slots=True)
class CostTable:
    table: BigQueryTable
    queries: BigQueryQueries
    dataset: str

    def record(self, *events: Event[CostRecorded]) -> None:
        assert self.table.insert([cost_row(event) for event in events]) == []

    def view(self, name: str, *, order: str = "1") -> list[dict[str, Any]]:
        return self.queries.rows(f"SELECT * FROM {self.dataset}.{name} ORDER BY {order}", {})

    def scalar(self, sql: str) -> Any:
        """The one value of a query over `costs`."""
        [row] = self.queries.rows(f"SELECT {sql} AS answer FROM {self.dataset}.costs", {})
        return row["answer"]


def event(data: CostRecorded, event_id: str | None = None) -> Event[CostRecorded]:
    return Event(
        id=event_id or str(uuid.uuid4()),
        source="//cutout/test",
        subject="test",
        time=data.occurred_at,
        traceparent=TRACEPARENT,
        data=data,
    )


def cost(**changes: Any) -> CostRecorded:
    """What is nobody's alone."""
    plain = CostRecorded(
        occurred_at=NOON, kind="idle", region=REGION, usd=Decimal("0.001"), price_version="2026-11", revision=0
    )
    return msgspec.structs.replace(plain, **changes)


def job_cost(event_id: str | None = None, **changes: Any) -> Event[CostRecorded]:
    """A result that the worker made of a new photo, in three seconds."""
    made = cost(
        kind="gpu",
        usd=Decimal("0.0011841"),
        gpu_seconds=3.0,
        vcpu_seconds=24.0,
        gib_seconds=96.0,
        job_id=JOB_ID,
        tenant="acme",
        model=MODEL,
        recipe="0" * 32,
        recipe_json="{}",
        cache="miss",
        lane="gpu",
        batch_size=1,
        cold_start=False,
        megapixels=12.0,
        latency_seconds=3.5,
        revision=None,
    )
    return event(msgspec.structs.replace(made, **changes), event_id)
