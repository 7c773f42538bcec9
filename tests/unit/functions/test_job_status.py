from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from functions.job_status import MAX_WAIT_SECONDS
from jobs.tokens import new_token
from tests.fakes import BlindMattes
from tests.unit.examples import JOB_ID, MODEL, TENANT
from tests.unit.functions.api import ORIGIN, OTHER_ORIGIN, Api
from tests.unit.scene import BUCKETS, RECIPES, photo

if TYPE_CHECKING:
    from tests.unit.scene import Job


def queued(api: Api, data: bytes | None = None) -> Job:
    job = api.scene.upload(data)
    api.scene.on_upload()(api.scene.finalized(job))
    return job


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": ""}, {"Authorization": "Bearer "}, {"Authorization": "Basic YTpi"}, {"X-Api-Key": "k"}],
)
def test_without_a_token_a_job_tells_nothing(api: Api, headers: dict[str, str]) -> None:
    job = queued(api)
    reply = api.job_status(job.job_id, headers=headers)
    assert (reply.status, reply.code) == (401, "unauthorized")


@pytest.mark.parametrize("token", ["nonsense", "acme.short", new_token("nobody")], ids=["no-dot", "short", "unknown"])
def test_a_token_that_is_none_of_ours_is_refused(api: Api, token: str) -> None:
    assert api.job_status(queued(api).job_id, token=token).status == 401


def test_another_jobs_token_is_refused(api: Api) -> None:
    one, other = queued(api), queued(api)
    reply = api.job_status(one.job_id, token=other.token)
    assert (reply.status, reply.code) == (403, "forbidden")


def test_another_tenants_token_does_not_even_say_that_the_job_exists(api: Api) -> None:
    job = queued(api)
    assert api.job_status(job.job_id, token=new_token("globex")).status == 404


@pytest.mark.parametrize("job_id", [JOB_ID, "x", "", f"{JOB_ID}%0a", "..%2f.."])
def test_an_unknown_job_is_not_found(api: Api, job_id: str) -> None:
    reply = api.job_status(job_id, token=new_token(TENANT))
    assert (reply.status, reply.code) == (404, "not_found")


def test_the_page_of_another_storefront_may_not_ask(api: Api) -> None:
    job = queued(api)
    assert api.status_of(job, origin=ORIGIN).status == 200
    assert api.status_of(job, origin=OTHER_ORIGIN).status == 403


def test_a_job_whose_photo_has_not_come_waits_for_it(api: Api) -> None:
    job = api.scene.upload()
    assert api.status_of(job).json == {
        "job_id": job.job_id,
        "state": "awaiting_upload",
        "stage": "waiting_for_upload",
    }


def test_a_queued_job_says_that_the_worker_is_cold_and_how_long_it_may_take(api: Api) -> None:
    job = queued(api)
    told = api.status_of(job).json
    assert (told["state"], told["stage"], told["worker"]) == ("queued", "starting_worker", "cold")
    assert told["seconds_left"] == 20 + 2 + 1
    api.scene.clock.advance(10)
    assert api.status_of(job).json["seconds_left"] == 13


def test_a_queued_job_with_a_warm_worker_takes_seconds(api: Api) -> None:
    job = queued(api)
    api.activity.note()
    told = api.status_of(job).json
    assert (told["stage"], told["worker"], told["seconds_left"]) == ("removing_background", "warm", 3)


def test_an_estimate_that_has_passed_still_says_a_second(api: Api) -> None:
    job = queued(api)
    api.scene.clock.advance(3600)
    assert api.status_of(job).json["seconds_left"] == 1


def test_a_job_on_the_cpu_needs_no_worker(api: Api) -> None:
    api.scene.run(recipes=RECIPES[:1])
    told = api.status_of(queued(api)).json
    assert (told["stage"], told["seconds_left"]) == ("rendering", 1)


def test_a_done_job_shows_its_results_behind_signed_urls(api: Api) -> None:
    job = api.scene.run()
    reply = api.status_of(job)
    assert (reply.status, reply.json["state"], reply.headers["X-Cache-Status"]) == (200, "done", "miss")
    told = api.scene.completed(job)
    assert reply.json["cost_usd"] == str(told.cost_usd)
    assert reply.json["timings"] == told.timings
    assert reply.json["cache"] == "miss"
    first, second = reply.json["results"]
    assert first["recipe"]["format"] == "png"
    assert (second["content_type"], second["width"], second["height"]) == ("image/jpeg", 16, 12)
    assert first["bytes"] == told.results[0].bytes
    assert first["expires_at"] == (api.scene.clock() + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    assert [url.expires_in for url in api.scene.signer.signed] == [timedelta(hours=1)] * 2
    assert first["url"].startswith(f"https://storage.test/{BUCKETS.results}/{told.results[0].object.name}")


def test_nothing_in_an_answer_tells_the_photos_hash_or_the_token(api: Api) -> None:
    job = api.scene.run()
    answer = str(api.status_of(job).json)
    assert hashlib.sha256(photo()).hexdigest() not in answer
    assert job.token not in answer


def test_the_cache_status_is_the_dearest_of_the_results(api: Api) -> None:
    api.scene.run(recipes=RECIPES[:1])
    assert api.status_of(api.scene.run()).headers["X-Cache-Status"] == "matte"
    assert api.status_of(api.scene.run()).headers["X-Cache-Status"] == "hit"


def test_a_failed_job_says_why_and_whether_it_may_be_tried_again(api: Api) -> None:
    job = queued(api)
    api.scene.processor(BlindMattes(MODEL)).process(api.scene.message(job))
    reply = api.status_of(job)
    assert reply.status == 200
    assert (reply.json["state"], reply.json["stage"]) == ("failed", "failed")
    assert reply.json["error"] == {
        "code": "no_foreground",
        "message": "nothing in this photo stands out from its background",
        "retryable": False,
    }


def test_a_job_that_was_replayed_with_success_is_done(api: Api) -> None:
    job = queued(api)
    message = api.scene.message(job)
    api.scene.processor(BlindMattes(MODEL)).process(message)
    assert api.status_of(job).json["state"] == "failed"
    for name in api.scene.store.names(BUCKETS.mattes):
        api.scene.store.delete(BUCKETS.mattes, name)
    replay = msgspec.structs.replace(message.data, run=1)
    api.scene.processor().process(msgspec.structs.replace(message, data=replay))
    assert api.status_of(job).json["state"] == "done"


def test_a_deleted_job_is_not_found(api: Api) -> None:
    job = api.scene.run()
    api.scene.desk.removal.remove(job.tenant, job.job_id)
    reply = api.status_of(job)
    assert (reply.status, reply.code) == (404, "not_found")


@pytest.mark.parametrize("wait", ["-1", "31", "1.5", "x", "", "٣", "9" * 5000, "1e1"])
def test_a_wait_is_whole_seconds_within_bounds(api: Api, wait: str) -> None:
    reply = api.status_of(queued(api), query={"wait": wait})
    assert (reply.status, list(reply.json["error"]["fields"])) == (400, ["wait"])


def test_without_a_wait_the_answer_comes_at_once(api: Api) -> None:
    for query in ({}, {"wait": "0"}):
        assert api.status_of(queued(api), query=query).json["state"] == "queued"
    assert api.scene.clock.slept == []


def test_a_long_poll_ends_as_soon_as_the_job_does(api: Api) -> None:
    job = queued(api)
    clock = api.scene.clock
    message = api.scene.message(job)

    def work() -> None:
        if len(clock.slept) == 4:
            api.scene.processor().process(message)

    clock.on_sleep = work
    reply = api.status_of(job, query={"wait": str(MAX_WAIT_SECONDS)})
    assert reply.json["state"] == "done"
    assert clock.slept == [0.1, 0.2, 0.4, 0.8]


def test_a_long_poll_of_a_job_that_fails_ends_too(api: Api) -> None:
    job = queued(api)
    message = api.scene.message(job)
    api.scene.clock.on_sleep = lambda: api.scene.processor(BlindMattes(MODEL)).process(message)
    assert api.status_of(job, query={"wait": "10"}).json["state"] == "failed"
    assert len(api.scene.clock.slept) == 1


def test_a_long_poll_of_a_job_that_is_done_does_not_wait(api: Api) -> None:
    assert api.status_of(api.scene.run(), query={"wait": "30"}).json["state"] == "done"
    assert api.scene.clock.slept == []


def test_a_long_poll_gives_up_within_its_time(api: Api) -> None:
    job = queued(api)
    reply = api.status_of(job, query={"wait": "5"})
    assert reply.json["state"] == "queued"
    assert 4 < sum(api.scene.clock.slept) <= 5
    assert max(api.scene.clock.slept) == 1


def test_a_long_poll_of_a_job_that_is_deleted_meanwhile_finds_nothing(api: Api) -> None:
    job = queued(api)
    api.scene.clock.on_sleep = lambda: api.scene.desk.removal.remove(job.tenant, job.job_id)
    assert api.status_of(job, query={"wait": "2"}).status == 404
