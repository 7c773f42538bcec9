"""Photos of which everything that is needed for another effect is still there: the upload and the matte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from events.ids import new_job_id
from events.names import result_prefix
from jobs.cache import Content
from jobs.records import Queued

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from events.messages import Upload
    from jobs.desk import JobDesk

__all__ = ["KeptPhoto", "KeptPhotos"]

_MOST_LOOKED_AT: Final = 1000


class KeptPhoto(NamedTuple):
    """`results` are the names of those that exist."""

    content: Content
    upload: Upload
    sha256: str
    results: frozenset[str]


class KeptPhotos:
    def __init__(self, desk: JobDesk, *, model: str) -> None:
        self._desk = desk
        self._model = model

    def since(self, tenant: str, moment: datetime) -> Iterator[KeptPhoto]:
        """Those of the tenant's jobs since then that have results, each photo once, the newest first.

        At most a thousand jobs are looked at.
        """
        seen: set[str] = set()
        for job_id in self._finished(tenant, moment)[:_MOST_LOOKED_AT]:
            queued = self._desk.records.read(tenant, job_id, "queued", Queued)
            if queued is None or queued.upload is None or queued.content_id in seen:
                continue
            photo = self._kept(tenant, queued, queued.upload)
            if photo is not None:
                seen.add(queued.content_id)
                yield photo

    def _finished(self, tenant: str, moment: datetime) -> list[str]:
        """The jobs that are done and not deleted, the newest first."""
        records: dict[str, set[str]] = {}
        prefix = f"{tenant}/"
        start = f"{prefix}{new_job_id(moment, lambda _bits: 0)}"
        for stat in self._desk.store.list(self._desk.buckets.jobs, prefix, start_offset=start):
            job_id, _, record = stat.name.removeprefix(prefix).partition("/")
            records.setdefault(job_id, set()).add(record.removesuffix(".json"))
        done = [job_id for job_id, names in records.items() if "done" in names and "deleted" not in names]
        return sorted(done, reverse=True)

    def _kept(self, tenant: str, queued: Queued, upload: Upload) -> KeptPhoto | None:
        content = Content(tenant=tenant, content_id=queued.content_id, model=self._model)
        store, buckets = self._desk.store, self._desk.buckets
        stands = store.stat(upload.bucket, upload.name)
        if stands is None or stands.generation != upload.generation:
            return None
        if store.stat(buckets.mattes, content.matte) is None:
            return None
        prefix = result_prefix(tenant, content.content_id, content.model)
        results = frozenset(stat.name for stat in store.list(buckets.results, prefix))
        return KeptPhoto(content, upload, queued.sha256, results)
