"""Taking a job back: its upload, and whatever no other job of the tenant uses."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from events.errors import TransientError
from events.names import upload_name
from jobs.records import Deleted, Queued

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.places import Buckets
    from jobs.ports import Clock, ObjectStore
    from jobs.records import JobRecords
    from jobs.references import References

__all__ = ["Removal"]

_LOG: Final = logging.getLogger(__name__)


class Removal:
    def __init__(
        self, store: ObjectStore, records: JobRecords, references: References, buckets: Buckets, clock: Clock
    ) -> None:
        self._store = store
        self._records = records
        self._references = references
        self._buckets = buckets
        self._clock = clock

    def remove(self, tenant: str, job_id: str) -> None:
        """Mark the job as deleted, so that whoever works on it stops, then remove what is only its own.

        May be repeated.
        """
        self._mark(tenant, job_id)
        self._store.delete(self._buckets.uploads, upload_name(tenant, job_id))
        queued = self._records.read(tenant, job_id, "queued", Queued)
        if queued is not None:
            self._references.release(tenant, queued.content_id, job_id)

    def repeated(self, tenant: str, job_id: str) -> bool:
        """Whether the job was deleted while somebody worked on it; then what was made meanwhile goes too."""
        if not self._records.deleted(tenant, job_id):
            return False
        self.remove(tenant, job_id)
        return True

    @contextmanager
    def upon_failure(self, tenant: str, job_id: str, content: str) -> Iterator[None]:
        """Take a new job back if it fails within this: its client will not get the token, so nobody else could.

        A removal that runs at the same time may have counted the job, so what it kept goes now.
        """
        try:
            yield
        except Exception:
            try:
                self._mark(tenant, job_id)
                self._references.release(tenant, content, job_id)
            except TransientError as error:  # the first failure is the one to tell of
                _LOG.warning("job_left_behind", extra={"job_id": job_id, "tenant": tenant, "error": error.message})
            raise

    def _mark(self, tenant: str, job_id: str) -> None:
        self._records.create(tenant, job_id, "deleted", Deleted(deleted_at=self._clock()))
