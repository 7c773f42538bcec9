"""`POST /jobs`: another effect for a photo that was already uploaded, as a new job."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

from events.errors import ConflictError, ForbiddenError, TransientError
from events.ids import new_job_id
from events.messages import JobId, Recipes
from functions.jobs_access import held_job, open_job
from functions.web import answer, bearer_token, body, endpoint, origin_of
from jobs.dispatch import Order
from jobs.outcome import JobRun
from jobs.records import Queued

if TYPE_CHECKING:
    from collections.abc import Callable

    import flask

    from events.envelope import Outgoing
    from events.messages import Upload
    from functions.admission import Admission
    from functions.tenants import Tenants
    from functions.wiring import Parts
    from jobs.desk import JobDesk
    from jobs.dispatch import Dispatch
    from jobs.meter import Meter
    from jobs.ports import Span

__all__ = ["Restyle", "RestyleRequest", "build"]

_LOG: Final = logging.getLogger(__name__)


class RestyleRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    source_job_id: JobId
    recipes: Recipes


class Restyle:
    def __init__(
        self,
        desk: JobDesk,
        admission: Admission,
        tenants: Tenants,
        dispatch: Dispatch,
        *,
        public_url: str,
        meter: Meter,
    ) -> None:
        self._desk = desk
        self._admission = admission
        self._tenants = tenants
        self._dispatch = dispatch
        self._public_url = public_url
        self._meter = meter

    def __call__(self, request: flask.Request) -> flask.Response:
        with self._desk.tracer.span("restyle", parent=request.headers.get("traceparent"), kind="server") as span:
            return self._answer(request, span)

    def _answer(self, request: flask.Request, span: Span) -> flask.Response:
        tenant = self._admission.admit(request)
        wanted = body(request, RestyleRequest)
        source = held_job(
            self._desk.records,
            self._tenants,
            job_id=wanted.source_job_id,
            token=bearer_token(request),
            origin=origin_of(request),
        )
        if source.tenant != tenant.name:
            raise ForbiddenError("the source job belongs to another storefront")
        queued = self._desk.records.read(source.tenant, source.job_id, "queued", Queued)
        if queued is None:
            raise ConflictError(f"the source job is {source.state.state}: its photo was not accepted (yet)")
        self._desk.assets.check(tenant.name, wanted.recipes)
        upload = self._upload(source.tenant, queued)
        now = self._desk.clock()
        run = JobRun(
            job_id=new_job_id(now),
            tenant=tenant.name,
            run=0,
            source="restyle",
            traceparent=span.traceparent,
        )
        span.set(job_id=run.job_id, tenant=run.tenant)
        order = Order(upload=upload, sha256=queued.sha256, recipes=wanted.recipes, requested_at=now)
        content = self._dispatch.content(run.tenant, order.sha256)
        self._dispatch.check(content, order)
        with self._desk.removal.upon_failure(run.tenant, run.job_id, content.content_id):
            with self._meter.measure() as spent:
                cache, cost = self._dispatch.dispatch(run, order, spent=spent, timings={}, held=False)
            if cost is not None:
                self._tell(run, cost)
            token = open_job(
                self._desk.records, tenant=tenant.name, job_id=run.job_id, now=now, source_job_id=source.job_id
            )
        span.set(outcome="accepted", cache=cache)
        status_url = f"{self._public_url}/jobs/{run.job_id}"
        view = {"job_id": run.job_id, "token": token, "status_url": status_url, "state": "queued"}
        return answer(view, HTTPStatus.ACCEPTED, {"Location": status_url, "X-Cache-Status": cache})

    def _tell(self, run: JobRun, cost: Outgoing) -> None:
        """The job is on its way: a millionth of a dollar that can't be told of is no reason to refuse it."""
        try:
            self._desk.settlement.publish([cost])
        except TransientError as error:
            _LOG.warning("cost_untold", extra={"job_id": run.job_id, "error": error.message})

    def _upload(self, tenant: str, queued: Queued) -> Upload | None:
        """The source's upload, or, where it was a hit without one, that of another job with the same photo.

        None where none is kept any more: only results that exist can then be given.
        """
        others = (
            self._desk.records.read(tenant, job_id, "queued", Queued)
            for job_id in self._desk.references.jobs(tenant, queued.content_id)
        )
        for candidate in (queued, *others):
            if candidate is not None and candidate.upload is not None and self._stands(candidate.upload):
                return candidate.upload
        return None

    def _stands(self, upload: Upload) -> bool:
        stat = self._desk.store.stat(upload.bucket, upload.name)
        return stat is not None and stat.generation == upload.generation


def build(parts: Parts) -> Callable[[flask.Request], flask.Response]:
    """The Cloud Function."""
    limits = parts.rate_limits("restyle")
    handle = Restyle(
        parts.desk,
        parts.admission(limits),
        parts.tenants,
        parts.dispatch,
        public_url=parts.api.public_url,
        meter=parts.meter,
    )
    return endpoint(handle, methods=("POST",), tenants=parts.tenants, limits=limits)
