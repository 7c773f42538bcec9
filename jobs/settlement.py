"""From an outcome to its telling: stored first, then the spend, then the events, so that a retry tells the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.names import spend_name
from jobs.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from events.envelope import Outgoing
    from jobs.outcome import JobRun
    from jobs.places import Buckets
    from jobs.ports import ObjectStore, Publisher
    from jobs.records import JobRecords, JobState

__all__ = ["Settlement"]


class Settlement:
    """Ends jobs. Every method may be interrupted at any line and run again."""

    def __init__(self, store: ObjectStore, publisher: Publisher, records: JobRecords, buckets: Buckets) -> None:
        self._store = store
        self._publisher = publisher
        self._records = records
        self._buckets = buckets

    def complete(self, run: JobRun, outcome: Outcome) -> Outcome | None:
        """End the job with results; the outcome that was stored first is the one told, and returned.

        None for a job that was deleted by then: it is charged, and nobody is told. What remains is a deletion between
        that look at the records and the event, which then tells of results that are gone.
        """
        return self._settle(run, "done", outcome)

    def fail(self, run: JobRun, outcome: Outcome) -> Outcome | None:
        """End this run of the job without results; likewise."""
        return self._settle(run, f"failed-{run.run}", outcome)

    def charge(self, run: JobRun, outcome: Outcome) -> None:
        """Record what a job cost that nobody is told of any more, since it was deleted."""
        self._spend(run, outcome)
        self._publish_costs(outcome)

    def retell(self, run: JobRun, state: JobState) -> bool:
        """Tell the outcome that the job, or this run of it, already has; of a deleted job only what it cost.

        False if it has none yet.
        """
        for record in ("done", f"failed-{run.run}"):
            if record in state.records:
                outcome = self._records.read(run.tenant, run.job_id, record, Outcome)
                if outcome is not None:
                    self._spend(run, outcome)
                    self._tell(outcome, deleted=state.state == "deleted")
                    return True
        return False

    def publish(self, messages: Iterable[Outgoing]) -> None:
        for message in messages:
            self._publisher.publish(message.topic, message.data.encode(), message.attributes)

    def _settle(self, run: JobRun, record: str, outcome: Outcome) -> Outcome | None:
        first = self._records.create_or_read(run.tenant, run.job_id, record, outcome)
        self._spend(run, first)
        deleted = self._records.deleted(run.tenant, run.job_id)
        self._tell(first, deleted=deleted)
        return None if deleted else first

    def _tell(self, outcome: Outcome, *, deleted: bool) -> None:
        if deleted:
            self._publish_costs(outcome)
        else:
            self.publish(outcome.messages)

    def _publish_costs(self, outcome: Outcome) -> None:
        self.publish(message for message in outcome.messages if message.topic == "costs")

    def _spend(self, run: JobRun, outcome: Outcome) -> None:
        if outcome.nano_usd:
            name = spend_name(run.tenant, outcome.ended_at.date(), run.job_id, run.run, outcome.nano_usd)
            self._store.create(self._buckets.jobs, name, b"", content_type="text/plain")
