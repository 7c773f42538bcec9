"""An upload arrived: what is it, and what is the cheapest way to its results?"""

from __future__ import annotations

import hashlib
import logging
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from events.errors import InvalidMessageError, PermanentError, UnsupportedFormatError
from events.messages import Recipes, StorageObject, Upload
from events.names import parse_upload_name
from events.validation import convert, decode_json
from imaging.inspection import SNIFF_BYTES, inspect, sniff
from imaging.limits import DEFAULT_LIMITS
from jobs.dispatch import Order
from jobs.outcome import JobRun, failed
from jobs.records import Queued
from jobs.timing import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudevents.http import CloudEvent

    from functions.wiring import Parts
    from imaging.limits import Limits
    from jobs.desk import JobDesk
    from jobs.dispatch import Dispatch
    from jobs.meter import Meter
    from jobs.ports import Span

__all__ = ["OnUpload", "build", "recipes_of"]

_LOG: Final = logging.getLogger(__name__)


def recipes_of(metadata: dict[str, str]) -> tuple[Any, ...]:
    """The recipes that the upload's signature bound. Raises `InvalidMessageError` naming every invalid field."""
    if "recipes" not in metadata:
        raise InvalidMessageError({"$.metadata.recipes": "required, but missing"})
    recipes: Recipes = decode_json(metadata["recipes"], Recipes)
    return recipes


class OnUpload:
    """Hashes and checks the photo in one streaming read, then answers from the cache or sends the job on."""

    def __init__(self, desk: JobDesk, dispatch: Dispatch, *, limits: Limits, meter: Meter) -> None:
        self._desk = desk
        self._dispatch = dispatch
        self._limits = limits
        self._meter = meter

    def __call__(self, event: CloudEvent) -> None:
        try:
            uploaded: StorageObject = convert(event.data, StorageObject)
            name = parse_upload_name(uploaded.name)
        except InvalidMessageError as error:
            _LOG.error("upload_event_invalid", extra={"event_id": event["id"], "fields": error.fields})
            return
        parent = uploaded.metadata.get("traceparent")
        with self._desk.tracer.span(
            "on_upload", parent=parent, kind="consumer", job_id=name.job_id, tenant=name.tenant
        ) as span:
            run = JobRun(
                job_id=name.job_id, tenant=name.tenant, run=0, source="on_upload", traceparent=span.traceparent
            )
            self._receive(run, uploaded, span)

    def _receive(self, run: JobRun, uploaded: StorageObject, span: Span) -> None:
        state = self._desk.records.state(run.tenant, run.job_id)
        if state.state is None:
            _LOG.warning("upload_unknown", extra={"object": uploaded.name})
            return
        queued = self._desk.records.read(run.tenant, run.job_id, "queued", Queued)
        if queued is not None and queued.cost is not None:  # whoever passed the job on may have died before telling
            self._desk.settlement.publish([queued.cost])
        if state.state == "deleted":
            self._desk.removal.remove(run.tenant, run.job_id)
        elif not self._desk.settlement.retell(run, state) and not self._sent_before(queued):
            self._accept(run, uploaded, span)

    def _sent_before(self, queued: Queued | None) -> bool:
        """Send the stored message again; looking at the cache anew could mistake the job's own results for a hit."""
        if queued is None or queued.message is None:
            return False
        self._desk.settlement.publish([queued.message])
        return True

    def _accept(self, run: JobRun, uploaded: StorageObject, span: Span) -> None:
        watch = Stopwatch(tracer=self._desk.tracer, parent=run.traceparent)
        watch.add("event", (self._desk.clock() - uploaded.time_created).total_seconds())
        with self._meter.measure() as spent:
            try:
                with watch.stage("check"):
                    recipes = recipes_of(uploaded.metadata)
                    sha256 = self._check(uploaded)
                upload = Upload(bucket=uploaded.bucket, name=uploaded.name, generation=int(uploaded.generation))
                order = Order(upload=upload, sha256=sha256, recipes=recipes, requested_at=uploaded.time_created)
                cache, cost = self._dispatch.dispatch(run, order, spent=spent, timings=watch.seconds)
            except PermanentError as error:
                span.set(outcome=error.code)
                _LOG.info(
                    "upload_refused", extra={"job_id": run.job_id, "code": error.code, "traceparent": run.traceparent}
                )
                if not self._desk.removal.repeated(run.tenant, run.job_id):
                    self._desk.settlement.fail(run, failed(run, error, at=self._desk.clock(), spent=spent()))
                return
            span.set(outcome="accepted", cache=cache)
            if cost is None:
                self._desk.removal.repeated(run.tenant, run.job_id)
            else:  # whoever does the work sees to a deletion
                self._desk.settlement.publish([cost])
        _LOG.info(
            "upload_accepted",
            extra={"job_id": run.job_id, "tenant": run.tenant, "cache": cache, "traceparent": run.traceparent},
        )

    def _check(self, uploaded: StorageObject) -> str:
        """The SHA-256 of a photo within the limits. Raises a `PermanentError` for anything else."""
        size = int(uploaded.size)
        self._limits.check_bytes(size)
        digest = hashlib.sha256()
        content = _room(size)
        sniffed = False
        for chunk in self._desk.store.stream(uploaded.bucket, uploaded.name, generation=int(uploaded.generation)):
            digest.update(chunk)
            content.write(chunk)
            self._limits.check_bytes(content.tell())
            if not sniffed and content.tell() >= SNIFF_BYTES:
                sniffed = True
                self._check_start(bytes(content.getbuffer()[:SNIFF_BYTES]))
        content.truncate()
        inspect(content.getvalue(), self._limits)
        return digest.hexdigest()

    @staticmethod
    def _check_start(head: bytes) -> None:
        """What can't be a photo is not read to its end."""
        if sniff(head) is None:
            raise UnsupportedFormatError("the content is not an image of a format that is read")


def _room(size: int) -> BytesIO:
    """A file with room for `size` bytes, which neither grows by copying nor is copied by `getvalue`."""
    file = BytesIO()
    file.seek(size)
    file.write(b"\x00")
    file.seek(0)
    return file


def build(parts: Parts) -> Callable[[CloudEvent], None]:
    """The Cloud Function."""
    return OnUpload(parts.desk, parts.dispatch, limits=DEFAULT_LIMITS, meter=parts.meter)
