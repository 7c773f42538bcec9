"""Real jobs for a revision that has no traffic: uploads of a tenant of their own, pushed to the URL of its tag.

The photo goes straight into the bucket of uploads. `on_upload` knows of no such job and leaves it alone, so nobody but
the new revision works on it; what it then stores and tells is what it would for a shopper. One job follows the other:
the first waits for the start, and all together use one GPU.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from events.envelope import job_event
from events.errors import InvalidMessageError, PermanentError, TransientError
from events.ids import new_job_id
from events.messages import JobRequested, ResultFailed, Upload
from events.names import upload_name
from events.recipe import Recipe
from events.trace import new_traceparent
from jobs.outcome import told_result
from jobs.records import JobRecords, Outcome
from rollout.photo import CONTENT_TYPE, unseen
from rollout.plan import SmokeReport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from events.messages import ResultCompleted
    from jobs.ports import Clock, ObjectStore
    from rollout.plan import Smoke
    from rollout.ports import PushLanes
    from rollout.service import Service

__all__ = ["PushedJobs", "SmokeOptions"]

_POLL: Final = timedelta(seconds=1)
_UNKNOWN_MODEL: Final = "rollout-smoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeOptions:
    """`jobs` photos for `tenant`, which must all be done within `patience`, the start of an instance included.

    `model`, where it is given, is what the functions look up the cache by: the worker must say the same.
    """

    photo: bytes
    tenant: str = "smoke"
    jobs: int = 20
    patience: timedelta = timedelta(minutes=15)
    model: str = ""


class _FailingError(PermanentError):
    """The revision did not do what it must."""


class PushedJobs:
    """`rollout.ports.SmokeTest` for the services of one region.

    Buckets, audience and push identity are those that the revision itself was given.
    """

    def __init__(
        self,
        store: ObjectStore,
        lanes: PushLanes,
        options: SmokeOptions,
        *,
        region: str,
        clock: Clock,
        sleep: Callable[[timedelta], None],
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._options = options
        self._region = region
        self._clock = clock
        self._sleep = sleep

    def test(self, service: Service, step: Smoke) -> SmokeReport:
        """Raises a `CutoutError` where the test itself could not be made, which says nothing about the revision."""
        environment = _required(service.environment)
        name = f"{self._prefix(service.name)}{step.revision.name}"
        self.clean(service.name, but=name)
        self._lanes.open(
            name,
            endpoint=f"{step.url}/jobs",
            account=environment["PUSH_SENDER"],
            audience=environment["PUSH_AUDIENCE"],
        )
        until = self._clock() + self._options.patience
        slowest = 0.0
        for _ in range(self._options.jobs):
            try:
                result = self._job(name, environment, until)
            except _FailingError as error:
                return SmokeReport(step.revision.name, passed=False, text=error.message)
            slowest = max(slowest, (result.completed_at - result.requested_at).total_seconds())
        self._lanes.close(name)
        text = f"{self._options.jobs} jobs done, the slowest in {slowest:.1f} s"
        return SmokeReport(step.revision.name, passed=True, text=text, jobs=self._options.jobs)

    def clean(self, service: str, *, but: str = "") -> None:
        for name in self._lanes.names(self._prefix(service)):
            if name != but:
                self._lanes.close(name)

    def _prefix(self, service: str) -> str:
        return f"rollout-smoke-{self._region}-{service}-"

    def _job(self, lane: str, environment: Mapping[str, str], until: datetime) -> ResultCompleted:
        """Raises `_FailingError`, which says what is wrong with the revision."""
        now = self._clock()
        job_id = new_job_id(now)
        photo = unseen(self._options.photo, job_id)
        bucket, name = environment["UPLOADS_BUCKET"], upload_name(self._options.tenant, job_id)
        self._store.create(bucket, name, photo, content_type=CONTENT_TYPE)
        stat = self._store.stat(bucket, name)
        if stat is None:
            raise TransientError(f"the upload {name} is gone")
        job = JobRequested(
            job_id=job_id,
            tenant=self._options.tenant,
            upload=Upload(bucket=bucket, name=name, generation=stat.generation),
            sha256=hashlib.sha256(photo).hexdigest(),
            recipes=(Recipe(),),
            model=self._options.model or _UNKNOWN_MODEL,
            lane="gpu",
            requested_at=now,
        )
        event = job_event(
            job,
            tenant=job.tenant,
            job_id=job_id,
            part="",
            run=0,
            source="rollout",
            time=now,
            traceparent=new_traceparent(),
        )
        self._lanes.publish(lane, event.outgoing("jobs"))
        return self._checked(self._ended(job, environment["JOBS_BUCKET"], until), job)

    def _ended(self, job: JobRequested, bucket: str, until: datetime) -> Outcome:
        records = JobRecords(self._store, bucket)
        while self._clock() < until:
            for record in ("done", "failed-0"):
                try:
                    outcome = records.read(job.tenant, job.job_id, record, Outcome)
                except InvalidMessageError as error:
                    raise _FailingError(f"job {job.job_id} has a record that can't be read: {error}") from error
                if outcome is not None:
                    return outcome
            self._sleep(_POLL)
        raise _FailingError(f"job {job.job_id} was not done in time: look for it in the log of the revision")

    def _checked(self, outcome: Outcome, job: JobRequested) -> ResultCompleted:
        told = told_result(outcome)
        if isinstance(told, ResultFailed):
            raise _FailingError(f"job {job.job_id} failed: {told.code}, {told.message}")
        if self._options.model and told.model != self._options.model:
            raise _FailingError(f"its model is {told.model}, the functions expect {self._options.model}")
        for result in told.results:
            if result.cache != "miss":
                raise _FailingError(f"job {job.job_id} was answered by the cache, so the network was not tried")
            if self._store.stat(result.object.bucket, result.object.name) is None:
                raise _FailingError(f"the result {result.object.name} of job {job.job_id} is not there")
        return told


def _required(environment: Mapping[str, str]) -> Mapping[str, str]:
    missing = {"PUSH_SENDER", "PUSH_AUDIENCE", "UPLOADS_BUCKET", "JOBS_BUCKET"} - environment.keys()
    if missing:
        raise PermanentError(f"the service has no {', '.join(sorted(missing))}: is it a worker?")
    return environment
