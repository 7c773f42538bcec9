"""A photo whose event was given up before anybody had looked at it: the job that it asks for, for a replay to send."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from events.messages import JobRequested, Upload
from jobs.dispatch import job_message
from jobs.records import Queued

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.envelope import Outgoing
    from events.messages import StorageObject
    from events.recipe import Recipe
    from jobs.desk import JobDesk
    from jobs.dispatch import Dispatch
    from jobs.outcome import JobRun

__all__ = ["LostUploads"]


class LostUploads:
    """Only hashes a photo: whoever does the job checks it, and what nobody could look at must not end us, too."""

    def __init__(
        self, desk: JobDesk, dispatch: Dispatch, recipes_of: Callable[[dict[str, str]], tuple[Recipe, ...]]
    ) -> None:
        self._desk = desk
        self._dispatch = dispatch
        self._recipes_of = recipes_of

    def job(self, run: JobRun, uploaded: StorageObject) -> JobRequested:
        """Raises a `PermanentError` where the photo is gone or its metadata makes no job.

        The photo is counted among those that the tenant's jobs use, and the job's record says which it is, so that a
        deletion finds all that a replay makes. The lane is the worker's, which looks at what is stored first.
        """
        upload = Upload(bucket=uploaded.bucket, name=uploaded.name, generation=int(uploaded.generation))
        recipes = self._recipes_of(uploaded.metadata)
        sha256 = self._sha256(upload)
        content = self._dispatch.content(run.tenant, sha256)
        self._desk.references.add(run.tenant, content.content_id, run.job_id)
        queued = Queued(
            upload=upload,
            sha256=sha256,
            content_id=content.content_id,
            lane="gpu",
            requested_at=uploaded.time_created,
        )
        self._desk.records.create(run.tenant, run.job_id, "queued", queued)
        return JobRequested(
            job_id=run.job_id,
            tenant=run.tenant,
            upload=upload,
            sha256=sha256,
            recipes=recipes,
            model=content.model,
            lane="gpu",
            requested_at=uploaded.time_created,
            run=run.run,
        )

    def message(self, run: JobRun, job: JobRequested) -> Outgoing:
        """The one that would have asked for the job."""
        return job_message(run, job, at=self._desk.clock())

    def _sha256(self, upload: Upload) -> str:
        digest = hashlib.sha256()
        for chunk in self._desk.store.stream(upload.bucket, upload.name, generation=upload.generation):
            digest.update(chunk)
        return digest.hexdigest()
