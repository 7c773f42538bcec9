"""All that the handlers of jobs share, put together once a process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from jobs.assets import Assets
from jobs.records import JobRecords
from jobs.references import References
from jobs.removal import Removal
from jobs.settlement import Settlement
from jobs.telemetry import UNMEASURED, UNTRACED, TracedPublisher

if TYPE_CHECKING:
    from jobs.places import Buckets
    from jobs.ports import Clock, Measures, ObjectStore, Publisher, Tracer

__all__ = ["JobDesk", "utc_now"]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class JobDesk:
    """`secret` keys the content ids."""

    store: ObjectStore
    buckets: Buckets
    secret: bytes
    clock: Clock
    records: JobRecords
    references: References
    removal: Removal
    assets: Assets
    settlement: Settlement
    tracer: Tracer
    measures: Measures

    @classmethod
    def over(
        cls,
        store: ObjectStore,
        publisher: Publisher,
        buckets: Buckets,
        *,
        secret: bytes,
        clock: Clock = utc_now,
        tracer: Tracer = UNTRACED,
        measures: Measures = UNMEASURED,
    ) -> Self:
        records = JobRecords(store, buckets.jobs)
        references = References(store, records, buckets, clock)
        return cls(
            store=store,
            buckets=buckets,
            secret=secret,
            clock=clock,
            records=records,
            references=references,
            removal=Removal(store, records, references, buckets, clock),
            assets=Assets(store, buckets.assets),
            settlement=Settlement(store, TracedPublisher(publisher, tracer), records, buckets),
            tracer=tracer,
            measures=measures,
        )
