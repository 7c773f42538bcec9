"""Which jobs use which content, so that deleting one job takes nothing from another.

A job first writes its reference and only then looks at the cache. A removal first puts up a notice, then counts the
references: a job that comes too late to be counted sees the notice and comes back later.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from events.errors import TransientError
from events.ids import job_time
from events.names import reference_name, reference_prefix

if TYPE_CHECKING:
    from jobs.places import Buckets
    from jobs.ports import Clock, ObjectStore
    from jobs.records import JobRecords

__all__ = ["References"]

_NOTICE: Final = "~removal"
_STALE: Final = timedelta(minutes=5)
"""A removal takes seconds: an older notice was left by one that died, and counts no more."""
_ABANDONED: Final = timedelta(days=2)
"""An upload's event is delivered for a day at most: a job that is still not queued then never will be."""


class References:
    def __init__(self, store: ObjectStore, records: JobRecords, buckets: Buckets, clock: Clock) -> None:
        self._store = store
        self._records = records
        self._buckets = buckets
        self._clock = clock

    def add(self, tenant: str, content: str, job_id: str) -> None:
        """Raises `TransientError` while that content is being removed."""
        self._store.create(self._buckets.jobs, reference_name(tenant, content, job_id), b"", content_type="text/plain")
        if self._notice_stands(tenant, content):
            raise TransientError("this photo is being deleted at this moment; try again in a minute")

    def jobs(self, tenant: str, content: str) -> list[str]:
        """The jobs that use this content, oldest first."""
        prefix = reference_prefix(tenant, content)
        names = (stat.name.removeprefix(prefix) for stat in self._store.list(self._buckets.jobs, prefix))
        return [name for name in names if name != _NOTICE]

    def release(self, tenant: str, content: str, job_id: str) -> None:
        """Take the job's reference back; with the last one goes all that was computed from the content."""
        notice = f"{reference_prefix(tenant, content)}{_NOTICE}"
        while not self._put_up(notice) and not self._notice_stands(tenant, content):
            self._store.delete(self._buckets.jobs, notice)
        self._store.delete(self._buckets.jobs, reference_name(tenant, content, job_id))
        others = self.jobs(tenant, content)
        if not any(self._counts(tenant, other) for other in others):
            self._remove_computed(tenant, content)
            for other in others:
                self._store.delete(self._buckets.jobs, reference_name(tenant, content, other))
        self._store.delete(self._buckets.jobs, notice)

    def _counts(self, tenant: str, job_id: str) -> bool:
        """Not if the job was deleted, or died before it was queued: nobody would ever take its reference back."""
        records = self._records.state(tenant, job_id).records
        if "deleted" in records:
            return False
        return "queued" in records or self._clock() - job_time(job_id) < _ABANDONED

    def _remove_computed(self, tenant: str, content: str) -> None:
        for bucket in (self._buckets.results, self._buckets.mattes):
            for stat in self._store.list(bucket, f"{tenant}/{content}/"):
                self._store.delete(bucket, stat.name)

    def _put_up(self, notice: str) -> bool:
        metadata = {"at": self._clock().isoformat()}
        return self._store.create(self._buckets.jobs, notice, b"", content_type="text/plain", metadata=metadata)

    def _notice_stands(self, tenant: str, content: str) -> bool:
        stat = self._store.stat(self._buckets.jobs, f"{reference_prefix(tenant, content)}{_NOTICE}")
        if stat is None:
            return False
        written = datetime.fromisoformat(stat.metadata.get("at", "1970-01-01T00:00:00+00:00"))
        return self._clock() - written < _STALE
