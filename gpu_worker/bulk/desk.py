"""The desk at which jobs of a catalogue are done: quietly, and at nobody's cap."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from jobs.desk import JobDesk, utc_now
from jobs.settlement import Settlement
from jobs.speculation import CostsOnly
from jobs.telemetry import UNTRACED, TracedPublisher

if TYPE_CHECKING:
    from jobs.outcome import JobRun
    from jobs.places import Buckets
    from jobs.ports import Clock, ObjectStore, Publisher, Tracer
    from jobs.records import Outcome

__all__ = ["bulk_desk"]


class _OffTheLedger(Settlement):
    """A catalogue is in the cost table, but not in the day's spend: it must not keep shoppers from uploading."""

    def _spend(self, run: JobRun, outcome: Outcome) -> None:
        """The tenant's daily cap is for what its shoppers do."""


def bulk_desk(
    store: ObjectStore,
    publisher: Publisher,
    buckets: Buckets,
    *,
    secret: bytes,
    clock: Clock = utc_now,
    tracer: Tracer = UNTRACED,
) -> JobDesk:
    """What a job costs is told, its result is not."""
    quiet = CostsOnly(publisher)
    desk = JobDesk.over(store, quiet, buckets, secret=secret, clock=clock, tracer=tracer)
    return replace(desk, settlement=_OffTheLedger(store, TracedPublisher(quiet, tracer), desk.records, buckets))
