"""Reading a job that somebody holds a token of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from events.errors import ForbiddenError, NotFoundError, UnauthorizedError
from jobs.records import AwaitingUpload
from jobs.tokens import new_token, tenant_of, token_digest, token_matches

if TYPE_CHECKING:
    from datetime import datetime

    from functions.tenants import Tenants
    from jobs.records import JobRecords, JobState

__all__ = ["HeldJob", "held_job", "open_job"]


class HeldJob(NamedTuple):
    tenant: str
    job_id: str
    state: JobState
    record: AwaitingUpload


def held_job(
    records: JobRecords, tenants: Tenants, *, job_id: str, token: str, origin: str | None, deleted: bool = False
) -> HeldJob:
    """The job, for the holder of its token. `deleted` says whether a deleted job still counts as one.

    Raises `UnauthorizedError`, `ForbiddenError` or `NotFoundError`.
    """
    tenant = tenants.by_name(tenant_of(token) or "")
    if tenant is None:
        raise UnauthorizedError("the token is not of a form that this service gives out")
    tenant.check_origin(origin)
    record = records.read(tenant.name, job_id, "awaiting_upload", AwaitingUpload)
    if record is None:
        raise NotFoundError("there is no such job")
    if not token_matches(token, record.token_sha256):
        raise ForbiddenError("this token is not the job's")
    state = records.state(tenant.name, job_id)
    if state.state == "deleted" and not deleted:
        raise NotFoundError("this job was deleted")
    return HeldJob(tenant.name, job_id, state, record)


def open_job(records: JobRecords, *, tenant: str, job_id: str, now: datetime, source_job_id: str | None = None) -> str:
    """Write a new job's first record, and return its token, which is kept nowhere."""
    token = new_token(tenant)
    record = AwaitingUpload(
        job_id=job_id,
        tenant=tenant,
        token_sha256=token_digest(token),
        created_at=now,
        source_job_id=source_job_id,
    )
    records.create(tenant, job_id, "awaiting_upload", record)
    return token
