"""Which jobs use which content, so that deleting one job takes nothing from another.

A job first writes its reference and only then looks at the cache. A removal first puts up a notice, then counts the
references: a job that comes too late to be counted sees the notice and comes back later. Every removal has a notice of
its own, repeated ones too: nobody takes down that of another, which may be about to delete.

A job that is made by the request it answers is `held` by nobody until its first record is there, which is written last:
if the function is killed before, nobody ever has the token that could take the reference back.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from events.errors import TransientError
from events.ids import job_time
from events.names import reference_name, reference_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.places import Buckets
    from jobs.ports import Clock, ObjectStat, ObjectStore
    from jobs.records import JobRecords

__all__ = ["References"]

_NOTICE: Final = "~removal"
_HELD_BY_NOBODY: Final = {"held": "no"}
_STALE: Final = timedelta(minutes=5)
"""A removal takes seconds: an older notice was left by one that died, and counts no more."""
_ANSWERED: Final = timedelta(minutes=5)
"""A function is stopped long before: a job that nobody holds by then nobody ever will."""
_ABANDONED: Final = timedelta(days=2)
"""An upload's event is delivered for a day at most: a job that is still not queued then never will be."""


class _Listed(NamedTuple):
    """What stands under one content: the references by job, oldest first, and the notices of removals."""

    references: dict[str, ObjectStat]
    notices: list[ObjectStat]


class References:
    def __init__(self, store: ObjectStore, records: JobRecords, buckets: Buckets, clock: Clock) -> None:
        self._store = store
        self._records = records
        self._buckets = buckets
        self._clock = clock

    def add(self, tenant: str, content: str, job_id: str, *, held: bool = True) -> None:
        """Raises `TransientError` while that content is being removed; the reference stands, for a job that comes back.

        `held` is whether somebody has the job's token by now, or needs none.
        """
        metadata = {} if held else _HELD_BY_NOBODY
        name = reference_name(tenant, content, job_id)
        self._store.create(self._buckets.jobs, name, b"", content_type="text/plain", metadata=metadata)
        notices = self._store.list(self._buckets.jobs, f"{reference_prefix(tenant, content)}{_NOTICE}")
        if not all(map(self._is_stale, notices)):
            raise TransientError("this photo is being deleted at this moment; try again in a minute")

    def jobs(self, tenant: str, content: str) -> list[str]:
        """The jobs that use this content, oldest first."""
        return list(self._listed(tenant, content).references)

    def release(self, tenant: str, content: str, job_id: str) -> None:
        """Take the job's reference back; with the last one goes all that was computed from the content."""
        with self._notice(tenant, content):
            self._store.delete(self._buckets.jobs, reference_name(tenant, content, job_id))
            listed = self._listed(tenant, content)
            if not any(self._counts(tenant, *other) for other in listed.references.items()):
                self._remove_computed(tenant, content)
                for other in listed.references:
                    self._store.delete(self._buckets.jobs, reference_name(tenant, content, other))
            for stale in filter(self._is_stale, listed.notices):
                self._store.delete(self._buckets.jobs, stale.name)

    def _listed(self, tenant: str, content: str) -> _Listed:
        prefix = reference_prefix(tenant, content)
        references, notices = {}, []
        for stat in self._store.list(self._buckets.jobs, prefix):
            name = stat.name.removeprefix(prefix)
            if name.startswith(_NOTICE):
                notices.append(stat)
            else:
                references[name] = stat
        return _Listed(references, notices)

    def _counts(self, tenant: str, job_id: str, reference: ObjectStat) -> bool:
        """Not if the job was deleted, or died before it was queued or held: nobody would ever take it back."""
        records = self._records.state(tenant, job_id).records
        age = self._clock() - job_time(job_id)
        if "deleted" in records:
            return False
        if reference.metadata.get("held") == "no" and "awaiting_upload" not in records:
            return age < _ANSWERED
        return "queued" in records or age < _ABANDONED

    def _remove_computed(self, tenant: str, content: str) -> None:
        for bucket in (self._buckets.results, self._buckets.mattes):
            for stat in self._store.list(bucket, f"{tenant}/{content}/"):
                self._store.delete(bucket, stat.name)

    @contextmanager
    def _notice(self, tenant: str, content: str) -> Iterator[None]:
        notice = f"{reference_prefix(tenant, content)}{_NOTICE}/{secrets.token_hex(16)}"
        metadata = {"at": self._clock().isoformat()}
        try:
            self._store.create(self._buckets.jobs, notice, b"", content_type="text/plain", metadata=metadata)
            yield
            self._store.delete(self._buckets.jobs, notice)
        except Exception:
            with suppress(TransientError):  # the first failure is the one to tell of
                self._store.delete(self._buckets.jobs, notice)
            raise

    def _is_stale(self, notice: ObjectStat) -> bool:
        return self._clock() - datetime.fromisoformat(notice.metadata["at"]) >= _STALE
