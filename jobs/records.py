"""Job records: what became of a job, as small objects that are each written once.

A record is created with `if_generation_match=0` and never rewritten, so two processes can't disagree about it and a
crash can't leave half of one. The state of a job is the strongest record present.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeVar

import msgspec

from events.envelope import Outgoing
from events.messages import JobId, Lane, Sha256, Tenant, Time, Upload
from events.names import job_prefix, record_name
from events.validation import decode_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobs.ports import ObjectStore

__all__ = ["AwaitingUpload", "Deleted", "JobRecords", "JobState", "Outcome", "Queued", "State", "state_of"]

State = Literal["awaiting_upload", "queued", "failed", "done", "deleted"]
R = TypeVar("R", bound=msgspec.Struct)

_FAILED: Final = re.compile(r"failed-(\d{1,9})")


class AwaitingUpload(msgspec.Struct, frozen=True, kw_only=True):
    """The job exists. Of its token only the SHA-256 is kept."""

    job_id: JobId
    tenant: Tenant
    token_sha256: Sha256
    created_at: Time
    source_job_id: JobId | None = None


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """The upload is known to be a photo, and which one. `message` asks for the work; a hit needs none.

    `cost` tells what it took to pass the job on. Both are sent as they stand here, by every delivery.
    """

    upload: Upload | None
    sha256: Sha256
    content_id: Sha256
    lane: Lane | None
    requested_at: Time
    message: Outgoing | None = None
    cost: Outgoing | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run of a job ended: the messages that say so, letter for letter, and what it adds to the day's spend."""

    messages: Annotated[tuple[Outgoing, ...], msgspec.Meta(min_length=1)]
    ended_at: Time
    nano_usd: Annotated[int, msgspec.Meta(ge=0)]


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """The shopper took the job back; whoever still works on it stops and cleans up."""

    deleted_at: Time


class JobState(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing of the job's records says. `failed_run` is the newest run that failed."""

    records: frozenset[str]
    state: State | None
    failed_run: int | None

    def failed(self, run: int) -> bool:
        return f"failed-{run}" in self.records


def state_of(records: Iterable[str]) -> JobState:
    """The strongest state among record names such as `queued` and `failed-2`."""
    present = frozenset(records)
    runs = [int(match[1]) for record in present if (match := _FAILED.fullmatch(record))]
    state: State | None = None
    if "deleted" in present:
        state = "deleted"
    elif "done" in present:
        state = "done"
    elif runs:
        state = "failed"
    elif "queued" in present:
        state = "queued"
    elif "awaiting_upload" in present:
        state = "awaiting_upload"
    return JobState(records=present, state=state, failed_run=max(runs, default=None))


class JobRecords:
    """The records of all jobs, in the jobs bucket."""

    def __init__(self, store: ObjectStore, bucket: str) -> None:
        self._store = store
        self._bucket = bucket

    def state(self, tenant: str, job_id: str) -> JobState:
        prefix = job_prefix(tenant, job_id)
        stats = self._store.list(self._bucket, prefix)
        return state_of(stat.name.removeprefix(prefix).removesuffix(".json") for stat in stats)

    def deleted(self, tenant: str, job_id: str) -> bool:
        """Whether the job's state is `deleted`, for less than a listing costs."""
        return self._store.stat(self._bucket, record_name(tenant, job_id, "deleted")) is not None

    def create(self, tenant: str, job_id: str, record: str, value: msgspec.Struct) -> bool:
        """False where that record exists already; then the one that exists counts, not `value`."""
        name = record_name(tenant, job_id, record)
        return self._store.create(self._bucket, name, msgspec.json.encode(value), content_type="application/json")

    def read(self, tenant: str, job_id: str, record: str, kind: type[R]) -> R | None:
        stored = self._store.read(self._bucket, record_name(tenant, job_id, record))
        return None if stored is None else decode_json(stored.data, kind)

    def create_or_read(self, tenant: str, job_id: str, record: str, value: R) -> R:
        """The record as it stands: `value`, or what somebody wrote before."""
        if self.create(tenant, job_id, record, value):
            return value
        return self.read(tenant, job_id, record, type(value)) or value
