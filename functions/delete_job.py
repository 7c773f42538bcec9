"""`DELETE /jobs/{id}`: the shopper takes the photo back."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import flask

from functions.jobs_access import held_job
from functions.web import bearer_token, endpoint, job_id_of, origin_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.rate_limits import RateLimits
    from functions.tenants import Tenants
    from functions.wiring import Parts
    from jobs.desk import JobDesk

__all__ = ["DeleteJob", "build"]


class DeleteJob:
    """Removes the upload, and the matte and results that no other job of the tenant uses. May be repeated."""

    def __init__(self, desk: JobDesk, tenants: Tenants, limits: RateLimits) -> None:
        self._desk = desk
        self._tenants = tenants
        self._limits = limits

    def __call__(self, request: flask.Request) -> flask.Response:
        job = held_job(
            self._desk.records,
            self._tenants,
            job_id=job_id_of(request),
            token=bearer_token(request),
            origin=origin_of(request),
            deleted=True,
        )
        self._limits.count_tenant(request, job.tenant)
        self._desk.removal.remove(job.tenant, job.job_id)
        return flask.Response(status=HTTPStatus.NO_CONTENT)


def build(parts: Parts) -> Callable[[flask.Request], flask.Response]:
    """The Cloud Function."""
    limits = parts.rate_limits("delete_job")
    handle = DeleteJob(parts.desk, parts.tenants, limits)
    return endpoint(handle, methods=("DELETE",), tenants=parts.tenants, limits=limits)
