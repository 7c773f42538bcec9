"""`POST /uploads`: a signed URL for one photo, or at once the results that the cache has for it."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from events.errors import UnsupportedFormatError
from events.ids import new_job_id
from events.messages import Recipes, ResultCompleted, Sha256
from events.names import upload_name
from events.recipe import Recipe
from functions.jobs_access import open_job
from functions.views import done_view
from functions.web import answer, body, endpoint
from imaging.limits import DEFAULT_LIMITS
from jobs.cache import answer as cache_answer
from jobs.cache import look_up
from jobs.dispatch import Order
from jobs.outcome import JobRun, told_result

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import flask

    from functions.admission import Admission
    from functions.tenants import Tenant
    from functions.wiring import Parts
    from jobs.desk import JobDesk
    from jobs.dispatch import Dispatch
    from jobs.meter import Meter
    from jobs.ports import Span, UrlSigner

__all__ = ["CONTENT_TYPES", "MAX_UPLOAD_BYTES", "RequestUpload", "UploadRequest", "build", "put_headers"]

MAX_UPLOAD_BYTES: Final = DEFAULT_LIMITS.max_bytes
CONTENT_TYPES: Final = frozenset(
    f"image/{kind}" for kind in ("jpeg", "png", "webp", "heic", "heif", "avif", "tiff", "bmp", "gif")
)
_URL_LIFE: Final = timedelta(minutes=10)


class UploadRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`size` in bytes and `sha256` are those of exactly the body of the PUT that will follow."""

    content_type: str
    size: Annotated[int, msgspec.Meta(ge=1)]
    recipes: Recipes = (Recipe(),)
    sha256: Sha256 | None = None

    def check(self) -> None:
        """Raises `UnsupportedFormatError` or `TooLargeError`, naming the limit."""
        if self.content_type not in CONTENT_TYPES:
            raise UnsupportedFormatError(
                f"content_type {self.content_type[:80]!r} is not one of {', '.join(sorted(CONTENT_TYPES))}"
            )
        DEFAULT_LIMITS.check_bytes(self.size)


def put_headers(content_type: str, recipes: tuple[Recipe, ...], traceparent: str) -> dict[str, str]:
    """What the signature binds: nobody can change the recipe, upload more, or upload twice."""
    return {
        "Content-Type": content_type,
        "x-goog-content-length-range": f"1,{MAX_UPLOAD_BYTES}",
        "x-goog-if-generation-match": "0",
        "x-goog-meta-recipes": f"[{','.join(recipe.canonical().decode() for recipe in recipes)}]",
        "x-goog-meta-traceparent": traceparent,
    }


class RequestUpload:
    def __init__(
        self,
        desk: JobDesk,
        admission: Admission,
        dispatch: Dispatch,
        signer: UrlSigner,
        *,
        public_url: str,
        meter: Meter,
    ) -> None:
        self._desk = desk
        self._admission = admission
        self._dispatch = dispatch
        self._signer = signer
        self._public_url = public_url
        self._meter = meter

    def __call__(self, request: flask.Request) -> flask.Response:
        with self._desk.tracer.span("request_upload", parent=request.headers.get("traceparent"), kind="server") as span:
            return self._answer(request, span)

    def _answer(self, request: flask.Request, span: Span) -> flask.Response:
        tenant = self._admission.admit(request)
        wanted = body(request, UploadRequest)
        wanted.check()
        self._desk.assets.check(tenant.name, wanted.recipes)
        now = self._desk.clock()
        run = JobRun(
            job_id=new_job_id(now),
            tenant=tenant.name,
            run=0,
            source="request_upload",
            traceparent=span.traceparent,
        )
        span.set(job_id=run.job_id, tenant=run.tenant)
        if wanted.sha256 is not None:
            cached = self._from_cache(run, wanted.sha256, wanted.recipes, now)
            if cached is not None:
                span.set(outcome="completed", cache="hit")
                return cached
        span.set(outcome="awaiting_upload")
        return self._signed_put(tenant, run, wanted.content_type, wanted.recipes, now)

    def _signed_put(
        self, tenant: Tenant, run: JobRun, content_type: str, recipes: tuple[Recipe, ...], now: datetime
    ) -> flask.Response:
        token = open_job(self._desk.records, tenant=tenant.name, job_id=run.job_id, now=now)
        headers = put_headers(content_type, recipes, run.traceparent)
        url = self._signer.put_url(
            self._desk.buckets.uploads,
            upload_name(tenant.name, run.job_id),
            expires_in=_URL_LIFE,
            headers=headers,
        )
        upload = {"method": "PUT", "url": url, "headers": headers, "expires_at": now + _URL_LIFE}
        head = self._head(run, token) | {"state": "awaiting_upload", "upload": upload}
        return answer(head, HTTPStatus.CREATED, {"Location": f"{head['status_url']}"})

    def _from_cache(
        self, run: JobRun, sha256: str, recipes: tuple[Recipe, ...], now: datetime
    ) -> flask.Response | None:
        """The results, if all exist. Of a claimed hash nothing is ever stored that another photo could meet."""
        content = self._dispatch.content(run.tenant, sha256)
        if self._dispatch.look_up(run, content, recipes)[0] != "hit":
            return None
        with self._desk.removal.upon_failure(run.tenant, run.job_id, content.content_id):
            self._desk.references.add(run.tenant, content.content_id, run.job_id, held=False)
            found = look_up(self._desk.store, self._desk.buckets, content, recipes)
            if cache_answer(found, recipes) != "hit":
                self._desk.references.release(run.tenant, content.content_id, run.job_id)
                return None
            order = Order(upload=None, sha256=sha256, recipes=recipes, requested_at=now)
            with self._meter.measure() as spent:
                outcome = self._dispatch.answer_hit(run, order, content, found, spent=spent, timings={})
            completed = told_result(outcome)
            if not isinstance(completed, ResultCompleted):
                raise TypeError("a hit was recorded as a failure")
            view = done_view(completed, self._signer, now=now)
            token = open_job(self._desk.records, tenant=run.tenant, job_id=run.job_id, now=now)
        return answer(self._head(run, token) | view, HTTPStatus.OK, {"X-Cache-Status": "hit"})

    def _head(self, run: JobRun, token: str) -> dict[str, object]:
        return {"job_id": run.job_id, "token": token, "status_url": f"{self._public_url}/jobs/{run.job_id}"}


def build(parts: Parts) -> Callable[[flask.Request], flask.Response]:
    """The Cloud Function."""
    limits = parts.rate_limits("request_upload")
    handle = RequestUpload(
        parts.desk,
        parts.admission(limits),
        parts.dispatch,
        parts.signer,
        public_url=parts.api.public_url,
        meter=parts.meter,
    )
    return endpoint(handle, methods=("POST",), tenants=parts.tenants, limits=limits)
