from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from events.errors import TransientError
from tests.fakes import BlindMattes
from tests.unit.examples import JOB_ID, MODEL, TENANT
from tests.unit.functions.api import OTHER_KEY, OTHER_ORIGIN, PUBLIC_URL, Api, Reply
from tests.unit.scene import BUCKETS, RECIPES

if TYPE_CHECKING:
    from tests.unit.scene import Job

CROPPED = [{"crop": {"margin": 5}}]


@pytest.fixture
def source(api: Api) -> Job:
    return api.scene.run()


def restyle(api: Api, source: Job, recipes: object = CROPPED, **request: Any) -> Reply:
    wanted = {"source_job_id": source.job_id, "recipes": msgspec.to_builtins(recipes)}
    return api.restyle(wanted, **{"token": source.token, **request})


def test_another_effect_is_a_new_job_on_the_cpu_without_an_upload(api: Api, source: Job) -> None:
    reply = restyle(api, source)
    assert (reply.status, reply.headers["X-Cache-Status"], reply.json["state"]) == (202, "matte", "queued")
    job_id = reply.json["job_id"]
    assert job_id != source.job_id
    assert reply.json["status_url"] == reply.headers["Location"] == f"{PUBLIC_URL}/jobs/{job_id}"
    [message] = api.scene.messages("renders")
    assert (message.data.job_id, message.data.lane) == (job_id, "cpu")
    assert message.data.upload.name == source.stat.name
    assert len(api.scene.publisher.on("jobs")) == 1


def test_the_new_job_has_a_token_of_its_own_and_comes_to_its_end(api: Api, source: Job) -> None:
    reply = restyle(api, source)
    assert reply.json["token"] != source.token
    [message] = api.scene.messages("renders")
    api.scene.processor().process(message)
    status = api.job_status(reply.json["job_id"], token=reply.json["token"])
    assert (status.json["state"], status.headers["X-Cache-Status"]) == ("done", "matte")
    assert api.job_status(reply.json["job_id"], token=source.token).status == 403


def test_an_effect_that_was_made_before_is_done_at_once(api: Api, source: Job) -> None:
    reply = restyle(api, source, RECIPES)
    assert (reply.status, reply.headers["X-Cache-Status"]) == (202, "hit")
    status = api.job_status(reply.json["job_id"], token=reply.json["token"])
    assert (status.json["state"], status.headers["X-Cache-Status"]) == ("done", "hit")
    assert api.scene.publisher.on("renders") == []


def test_where_the_matte_is_gone_the_worker_makes_it_again(api: Api, source: Job) -> None:
    for name in api.scene.store.names(BUCKETS.mattes):
        api.scene.store.delete(BUCKETS.mattes, name)
    assert restyle(api, source).headers["X-Cache-Status"] == "miss"
    assert [message.data.lane for message in api.scene.messages("jobs")] == ["gpu", "gpu"]


def test_a_photo_that_was_answered_without_an_upload_is_restyled_from_another_jobs(api: Api, source: Job) -> None:
    hit = api.request_upload(
        {
            "content_type": "image/png",
            "size": 1,
            "sha256": source.sha256,
            "recipes": msgspec.to_builtins(RECIPES),
        }
    ).json
    reply = api.restyle({"source_job_id": hit["job_id"], "recipes": CROPPED}, token=hit["token"])
    assert reply.status == 202
    assert api.scene.messages("renders")[0].data.upload.name == source.stat.name


def test_a_source_whose_photo_has_not_come_is_a_conflict(api: Api) -> None:
    reply = restyle(api, api.scene.upload())
    assert (reply.status, reply.code) == (409, "conflict")
    assert "awaiting_upload" in reply.json["error"]["message"]


def test_a_source_whose_photo_was_refused_is_a_conflict(api: Api) -> None:
    job = api.scene.upload(b"no photo")
    api.scene.on_upload()(api.scene.finalized(job))
    reply = restyle(api, job)
    assert (reply.status, reply.code) == (409, "conflict")
    assert "failed" in reply.json["error"]["message"]


def test_a_source_that_still_runs_can_be_restyled(api: Api) -> None:
    job, _ = api.scene.queued()
    assert restyle(api, job).headers["X-Cache-Status"] == "miss"


def test_a_source_without_a_subject_fails_again_in_the_same_way(api: Api) -> None:
    job, message = api.scene.queued()
    api.scene.processor(BlindMattes(MODEL)).process(message)
    reply = restyle(api, job)
    [message] = api.scene.messages("renders")
    api.scene.processor().process(message)
    status = api.job_status(reply.json["job_id"], token=reply.json["token"])
    assert status.json["error"]["code"] == "no_foreground"


def test_an_upload_that_is_no_longer_kept_is_a_conflict(api: Api, source: Job) -> None:
    api.scene.store.delete(BUCKETS.uploads, source.stat.name)
    before = api.scene.store.names(BUCKETS.jobs)
    reply = restyle(api, source)
    assert (reply.status, reply.code) == (409, "conflict")
    assert "upload it again" in reply.json["error"]["message"]
    assert api.scene.store.names(BUCKETS.jobs) == before


def test_results_that_vanish_where_no_upload_is_kept_are_a_conflict_that_keeps_nothing(api: Api, source: Job) -> None:
    api.scene.store.delete(BUCKETS.uploads, source.stat.name)
    [reference] = api.scene.references(source)

    def vanish() -> None:
        for name in api.scene.store.names(BUCKETS.results):
            api.scene.store.delete(BUCKETS.results, name)

    calm = len(api.scene.faults.operations)
    restyle(api, source)
    api.scene.faults.arm(len(api.scene.faults.operations) - calm, vanish)
    reply = restyle(api, source, RECIPES)
    assert (reply.status, reply.code) == (409, "conflict")
    assert api.scene.references(source) == [reference]


def test_a_job_that_can_neither_go_on_nor_be_taken_back_is_told_to_the_operator(
    api: Api, source: Job, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unreachable(bucket: str, name: str, *_: object, **__: object) -> bool:
        raise TransientError(f"{bucket}/{name} can't be written")

    monkeypatch.setattr(api.scene.store, "create", unreachable)
    reply = restyle(api, source)
    assert (reply.status, reply.code) == (503, "temporarily_unavailable")
    assert "~references" in reply.json["error"]["message"]
    assert "job_left_behind" in caplog.messages


def test_an_upload_that_was_replaced_is_not_taken_for_the_photo(api: Api, source: Job) -> None:
    api.scene.store.put(BUCKETS.uploads, source.stat.name, b"something else")
    assert restyle(api, source).status == 409


def test_a_refused_restyle_leaves_no_job_behind(api: Api) -> None:
    job = api.scene.upload()
    before = api.scene.store.names(BUCKETS.jobs)
    restyle(api, job)
    assert api.scene.store.names(BUCKETS.jobs) == before


def test_the_token_must_be_the_source_jobs(api: Api, source: Job) -> None:
    assert restyle(api, source, token=None).status == 401
    assert restyle(api, source, token=api.scene.upload().token).status == 403


def test_the_key_must_be_of_the_storefront_that_has_the_job(api: Api, source: Job) -> None:
    assert restyle(api, source, key=None).status == 401
    assert restyle(api, source, key=OTHER_KEY).status == 403
    assert restyle(api, source, key=OTHER_KEY, origin=OTHER_ORIGIN).status == 403


def test_a_deleted_source_is_not_found(api: Api, source: Job) -> None:
    api.scene.desk.removal.remove(TENANT, source.job_id)
    assert restyle(api, source).status == 404


def test_an_unknown_source_is_not_found(api: Api, source: Job) -> None:
    reply = api.restyle({"source_job_id": JOB_ID, "recipes": CROPPED}, token=source.token)
    assert reply.status == 404


def test_every_bad_field_is_named(api: Api, source: Job) -> None:
    reply = api.restyle({"source_job_id": f"{source.job_id}\n", "recipes": [], "size": 1}, token=source.token)
    assert reply.status == 400
    assert sorted(reply.json["error"]["fields"]) == ["$.recipes", "$.size", "$.source_job_id"]


def test_results_that_exist_are_given_after_the_photo_is_gone(api: Api, source: Job) -> None:
    api.scene.store.delete(BUCKETS.uploads, source.stat.name)
    reply = restyle(api, source, recipes=RECIPES)
    assert (reply.status, reply.headers["X-Cache-Status"]) == (202, "hit")
    assert api.job_status(reply.json["job_id"], token=reply.json["token"]).json["state"] == "done"
