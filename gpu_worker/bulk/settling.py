"""One photo of a catalogue from its line to its entry in the report, as a job like everybody's.

Its records, matte, results and costs have the names and ids that they would have had after an upload. Nobody waits for
it, so it is `speculative`: what it costs is recorded, and only the report tells of it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from events.envelope import job_event
from events.errors import PermanentError, TransientError, UploadMissingError
from events.messages import JobRequested, Upload
from events.prices import Usage
from events.trace import new_traceparent
from gpu_worker.bulk.report import entry_of, refused
from imaging.limits import DEFAULT_LIMITS
from jobs.cache import result_status
from jobs.dispatch import Dispatch, Order
from jobs.outcome import JobRun, Spent
from jobs.records import Outcome, Queued

if TYPE_CHECKING:
    from gpu_worker.bulk.manifest import Manifest, Photo
    from gpu_worker.bulk.report import Entry
    from jobs.cache import Content, Found
    from jobs.costs import Billing
    from jobs.desk import JobDesk
    from jobs.processing import Processor

__all__ = ["SOURCE", "Settling"]

SOURCE = "bulk"
"""The component that the events of a catalogue name."""


class Settling:
    """Thread-safe. `desk` is a `bulk_desk`, and the processor's too; `model` is the processor's."""

    def __init__(
        self, manifest: Manifest, desk: JobDesk, processor: Processor, *, model: str, billing: Billing
    ) -> None:
        self._manifest = manifest
        self._desk = desk
        self._processor = processor
        self._dispatch = Dispatch(desk, model=model)
        self._billing = billing
        self._model = model

    def settle(self, photo: Photo, *, attempt: int = 1) -> Entry:
        """How the photo ended. May be repeated after a death at any line.

        Raises a retryable `CutoutError` where it has not ended and may, later.
        """
        try:
            upload = self._upload(photo)
        except PermanentError as error:
            return refused(photo, error)
        job_id = self._manifest.job_id(photo, upload.generation)
        run = JobRun(job_id=job_id, tenant=photo.tenant, run=0, source=SOURCE, traceparent=new_traceparent())
        if not self._desk.settlement.retell(run, self._desk.records.state(photo.tenant, job_id)):
            try:
                self._do(photo, run, upload, attempt)
            except PermanentError as error:
                if isinstance(error, UploadMissingError):
                    self._check_replaced(upload)
                return refused(photo, error)
        entry = entry_of(photo, job_id, self._outcome(run))
        if entry.code == UploadMissingError.code:
            self._check_replaced(upload)
        return entry

    def _upload(self, photo: Photo) -> Upload:
        stat = self._desk.store.stat(photo.bucket, photo.name)
        if stat is None:
            raise UploadMissingError(f"there is no {photo.source}")
        DEFAULT_LIMITS.check_bytes(stat.size)
        return Upload(bucket=photo.bucket, name=photo.name, generation=stat.generation)

    def _check_replaced(self, upload: Upload) -> None:
        """Raises `TransientError` where another photo is in the place of one that is gone: it is another job's."""
        stat = self._desk.store.stat(upload.bucket, upload.name)
        if stat is not None and stat.generation != upload.generation:
            raise TransientError("the photo was replaced while it was read")

    def _do(self, photo: Photo, run: JobRun, upload: Upload, attempt: int) -> None:
        order = Order(
            upload=upload, sha256=self._sha256(upload), recipes=photo.recipes, requested_at=self._desk.clock()
        )
        content = self._dispatch.content(run.tenant, order.sha256)
        self._record(run, order, content)
        self._desk.references.add(run.tenant, content.content_id, run.job_id)
        cache, found = self._dispatch.look_up(run, content, order.recipes)
        if cache == "hit" and _others(found, run.job_id):
            spent = Spent(usage=Usage(), billing=self._billing, speculative=True)
            self._dispatch.answer_hit(run, order, content, found, spent=lambda: spent, timings={})
        else:
            self._process(run, order, upload, attempt)

    def _record(self, run: JobRun, order: Order, content: Content) -> None:
        """Before the reference, which a shopper's deletion of the same photo counts only where it finds this record.

        The job's id is as old as its photo, so without one it would be taken for a job that died long ago.
        """
        queued = Queued(
            upload=order.upload,
            sha256=order.sha256,
            content_id=content.content_id,
            lane=None,
            requested_at=order.requested_at,
        )
        self._desk.records.create(run.tenant, run.job_id, "queued", queued)

    def _process(self, run: JobRun, order: Order, upload: Upload, attempt: int) -> None:
        request = JobRequested(
            job_id=run.job_id,
            tenant=run.tenant,
            upload=upload,
            sha256=order.sha256,
            recipes=order.recipes,
            model=self._model,
            lane="gpu",
            requested_at=order.requested_at,
            speculative=True,
        )
        event = job_event(
            request,
            tenant=run.tenant,
            job_id=run.job_id,
            part=request.lane,
            run=run.run,
            source=SOURCE,
            time=order.requested_at,
            traceparent=run.traceparent,
        )
        self._processor.process(event, attempt=attempt)

    def _sha256(self, upload: Upload) -> str:
        digest = hashlib.sha256()
        for chunk in self._desk.store.stream(upload.bucket, upload.name, generation=upload.generation):
            digest.update(chunk)
        return digest.hexdigest()

    def _outcome(self, run: JobRun) -> Outcome:
        for record in ("done", f"failed-{run.run}"):
            outcome = self._desk.records.read(run.tenant, run.job_id, record, Outcome)
            if outcome is not None:
                return outcome
        raise TransientError("the job was taken back while it was done", job_id=run.job_id)


def _others(found: Found, job_id: str) -> bool:
    """Whether somebody else made all of it: what an attempt of this job made before it died is not a hit."""
    return all(result_status(stat, job_id) == "hit" for stat in found.results.values())
