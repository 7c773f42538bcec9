from __future__ import annotations

import pytest

from events.errors import TransientError
from jobs.tokens import new_token
from tests.unit.examples import JOB_ID, TENANT
from tests.unit.functions.api import ORIGIN, OTHER_ORIGIN, Api
from tests.unit.scene import BUCKETS


def test_a_deleted_job_is_gone_with_its_photo_and_results(api: Api) -> None:
    job = api.scene.run()
    reply = api.delete_job(job.job_id, token=job.token)
    assert (reply.status, reply.json) == (204, None)
    assert api.scene.store.names(BUCKETS.uploads) == ()
    assert api.scene.computed(job) == []
    assert api.status_of(job).status == 404


def test_deleting_again_is_the_same(api: Api) -> None:
    job = api.scene.run()
    assert [api.delete_job(job.job_id, token=job.token).status for _ in range(3)] == [204, 204, 204]


def test_a_deletion_that_broke_off_is_finished_by_the_next(api: Api) -> None:
    job = api.scene.run()
    api.scene.faults.arm(6, TransientError("storage: no answer"))
    assert api.delete_job(job.job_id, token=job.token).status == 503
    assert api.status_of(job).status == 404
    assert api.delete_job(job.job_id, token=job.token).status == 204
    assert api.scene.computed(job) == []
    assert api.scene.references(job) == []


def test_a_job_that_waits_for_its_photo_can_be_deleted(api: Api) -> None:
    job = api.scene.upload()
    assert api.delete_job(job.job_id, token=job.token).status == 204
    assert api.status_of(job).status == 404


@pytest.mark.parametrize(
    ("job_id", "token", "status"),
    [
        (None, None, 401),
        (None, new_token(TENANT), 403),
        (JOB_ID, new_token(TENANT), 404),
        ("x", new_token(TENANT), 404),
    ],
    ids=["no-token", "of-another-job", "of-no-job", "no-job-id"],
)
def test_only_the_holder_of_the_token_may_delete(api: Api, job_id: str | None, token: str | None, status: int) -> None:
    job = api.scene.run()
    assert api.delete_job(job_id or job.job_id, token=token).status == status
    assert api.status_of(job).json["state"] == "done"


def test_the_page_of_another_storefront_may_not_delete(api: Api) -> None:
    job = api.scene.run()
    assert api.delete_job(job.job_id, token=job.token, origin=OTHER_ORIGIN).status == 403
    assert api.delete_job(job.job_id, token=job.token, origin=ORIGIN).status == 204
