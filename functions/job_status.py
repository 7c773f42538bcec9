"""`GET /jobs/{id}`: where a job stands, and its results once there are any."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from events.errors import InvalidMessageError, NotFoundError
from events.messages import ResultCompleted
from functions.expectation import seconds_left
from functions.jobs_access import held_job
from functions.views import done_view, failed_view
from functions.web import answer, bearer_token, endpoint, job_id_of, origin_of
from jobs.cache import overall_cache
from jobs.outcome import told_result
from jobs.records import Deleted, Outcome, Queued

if TYPE_CHECKING:
    from collections.abc import Callable

    import flask

    from functions.expectation import Expectation
    from functions.jobs_access import HeldJob
    from functions.rate_limits import RateLimits
    from functions.tenants import Tenants
    from functions.wiring import Parts
    from jobs.activity import Activity
    from jobs.desk import JobDesk
    from jobs.ports import UrlSigner

__all__ = ["MAX_WAIT_SECONDS", "JobStatus", "build"]

MAX_WAIT_SECONDS: Final = 30
_FIRST_POLL: Final = 0.1
_LONGEST_POLL: Final = 1.0


class JobStatus:
    def __init__(
        self,
        desk: JobDesk,
        tenants: Tenants,
        signer: UrlSigner,
        activity: Activity,
        limits: RateLimits,
        *,
        expected: Expectation,
        sleep: Callable[[float], None],
    ) -> None:
        self._desk = desk
        self._tenants = tenants
        self._signer = signer
        self._activity = activity
        self._limits = limits
        self._expected = expected
        self._sleep = sleep

    def __call__(self, request: flask.Request) -> flask.Response:
        wait = _wait_seconds(request.args.get("wait"))
        job = held_job(
            self._desk.records,
            self._tenants,
            job_id=job_id_of(request),
            token=bearer_token(request),
            origin=origin_of(request),
        )
        self._limits.count_tenant(request, job.tenant)
        outcome = self._outcome(job, wait)
        if wait and self._desk.records.read(job.tenant, job.job_id, "deleted", Deleted) is not None:
            raise NotFoundError("this job was deleted")
        head: dict[str, object] = {"job_id": job.job_id}
        if outcome is None:
            return answer(head | self._pending(job), HTTPStatus.OK)
        told = told_result(outcome)
        if isinstance(told, ResultCompleted):
            view = done_view(told, self._signer, now=self._desk.clock())
            return answer(head | view, HTTPStatus.OK, {"X-Cache-Status": overall_cache(told.results)})
        return answer(head | failed_view(told), HTTPStatus.OK)

    def _outcome(self, job: HeldJob, wait: int) -> Outcome | None:
        """The job's outcome, as soon as there is one, at most `wait` seconds from now."""
        deadline = self._desk.clock() + timedelta(seconds=wait)
        pause = _FIRST_POLL
        while True:
            outcome = self._read_outcome(job)
            if outcome is not None or self._desk.clock() + timedelta(seconds=pause) > deadline:
                return outcome
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_POLL)

    def _read_outcome(self, job: HeldJob) -> Outcome | None:
        """A read by name costs a tenth of a listing."""
        failed = f"failed-{job.state.failed_run or 0}"
        for record in ("done", failed):
            outcome = self._desk.records.read(job.tenant, job.job_id, record, Outcome)
            if outcome is not None:
                return outcome
        return None

    def _pending(self, job: HeldJob) -> dict[str, object]:
        queued = self._desk.records.read(job.tenant, job.job_id, "queued", Queued)
        if queued is None:
            return {"state": "awaiting_upload", "stage": "waiting_for_upload"}
        warm = self._activity.recent()
        left = seconds_left(self._expected, queued, warm=warm, now=self._desk.clock())
        stage = "rendering"
        if queued.lane == "gpu":
            stage = "removing_background" if warm else "starting_worker"
        worker = "warm" if warm else "cold"
        return {"state": "queued", "stage": stage, "worker": worker, "seconds_left": left}


def _wait_seconds(text: str | None) -> int:
    if text is None:
        return 0
    if re.fullmatch("[0-9]{1,2}", text) is None or int(text) > MAX_WAIT_SECONDS:
        raise InvalidMessageError({"wait": f"whole seconds from 0 to {MAX_WAIT_SECONDS}, got {text[:20]!r}"})
    return int(text)


def build(parts: Parts) -> Callable[[flask.Request], flask.Response]:
    """The Cloud Function."""
    limits = parts.rate_limits("job_status")
    handle = JobStatus(
        parts.desk,
        parts.tenants,
        parts.signer,
        parts.activity,
        limits,
        expected=parts.api.expected,
        sleep=time.sleep,
    )
    return endpoint(handle, methods=("GET",), tenants=parts.tenants, limits=limits)
