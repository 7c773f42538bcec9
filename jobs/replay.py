"""A job that was given up, once more: the same job, the next run.

The job's records stay as they are, and so does its id; only the run's number is another, and with it the ids of all
events that the run sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from events.errors import ConflictError, InvalidMessageError
from jobs.dispatch import job_message
from jobs.outcome import JobRun, told_result
from jobs.records import JobRecords, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from events.envelope import Event
    from events.messages import JobRequested, ResultCompleted, ResultFailed
    from jobs.dead_letters import DeadLetter
    from jobs.ports import Clock, ObjectStore, Publisher
    from jobs.records import JobState

__all__ = ["Replay", "Sent", "Standing", "job_of", "latest"]

Standing = Literal["open", "photo gone", "done", "deleted", "unknown"]
"""Of the job in a letter: `open` is one that may be replayed, `unknown` one that has no records (any more).

`photo gone` is one that ended in failure for good: its upload was kept for a shorter time than its letter is.
"""

_REFUSALS: Final[dict[Standing, str]] = {
    "photo gone": "its photo is no longer kept; it can only be uploaded again",
    "done": "it is done",
    "deleted": "it was deleted",
    "unknown": "there is no such job",
}


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was asked for."""

    tenant: str
    job_id: str
    run: int


def job_of(letter: DeadLetter) -> Event[JobRequested] | None:
    """None where the letter is no job's message."""
    try:
        return letter.message.job()
    except InvalidMessageError:
        return None


def latest(letters: Iterable[DeadLetter]) -> list[DeadLetter]:
    """Of each job the letter of its latest run alone, and every other letter."""
    chosen: dict[str, tuple[int, DeadLetter]] = {}
    for letter in letters:
        wanted = job_of(letter)
        key, run = (letter.name, 0) if wanted is None else (wanted.subject or wanted.data.job_id, wanted.data.run)
        if key not in chosen or run > chosen[key][0]:
            chosen[key] = (run, letter)
    return [letter for _, letter in chosen.values()]


class Replay:
    """`bucket` is that of the job records."""

    def __init__(self, store: ObjectStore, publisher: Publisher, bucket: str, clock: Clock) -> None:
        self._store = store
        self._publisher = publisher
        self._records = JobRecords(store, bucket)
        self._clock = clock

    def standing(self, job: JobRequested) -> Standing:
        return self._standing(job, self._records.state(job.tenant, job.job_id))

    def send(self, wanted: Event[JobRequested]) -> Sent:
        """Ask for the next run of the job. Raises `ConflictError` where that is no use, and says why."""
        job = wanted.data
        state = self._records.state(job.tenant, job.job_id)
        refusal = _REFUSALS.get(self._standing(job, state))
        if refusal is not None:
            raise ConflictError(refusal)
        number = max(job.run, state.failed_run or 0) + 1
        run = JobRun(
            job_id=job.job_id,
            tenant=job.tenant,
            run=number,
            source="replay",
            traceparent=wanted.traceparent,
        )
        message = job_message(run, msgspec.structs.replace(job, run=number), at=self._clock())
        self._publisher.publish(message.topic, message.data.encode(), message.attributes)
        return Sent(tenant=job.tenant, job_id=job.job_id, run=number)

    def outcome(self, sent: Sent) -> ResultCompleted | ResultFailed | None:
        """How that run ended; None as long as it did not."""
        for record in ("done", f"failed-{sent.run}"):
            outcome = self._records.read(sent.tenant, sent.job_id, record, Outcome)
            if outcome is not None:
                return told_result(outcome)
        return None

    def _standing(self, job: JobRequested, state: JobState) -> Standing:
        if state.state is None:
            return "unknown"
        if state.state in ("done", "deleted"):
            return state.state
        stat = self._store.stat(job.upload.bucket, job.upload.name)
        return "open" if stat is not None and stat.generation == job.upload.generation else "photo gone"
