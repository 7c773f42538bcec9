from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from cloudevents.http import CloudEvent

from events.errors import InvalidMessageError, TransientError
from tests.unit.scene import BUCKETS, RECIPES, Job

if TYPE_CHECKING:
    from events.envelope import Outgoing
    from tests.unit.functions.api import Api


def delivery(message: Outgoing) -> CloudEvent:
    """A Pub/Sub message as Eventarc hands it to a function."""
    wrapped = {
        "message": {
            "data": base64.b64encode(message.data.encode()).decode(),
            "attributes": message.attributes,
            "messageId": "1",
            "publishTime": "2026-11-23T12:00:00Z",
        },
        "subscription": "projects/p/subscriptions/renders",
    }
    attributes = {"type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//pubsub.googleapis.com/x"}
    return CloudEvent.create(attributes, wrapped)


@pytest.fixture
def job(api: Api) -> Job:
    """Its matte exists, one of its results does not."""
    api.scene.run(recipes=RECIPES[:1])
    job = api.scene.upload()
    api.scene.on_upload()(api.scene.finalized(job))
    return job


def request(api: Api) -> Outgoing:
    [message] = api.scene.publisher.on("renders")
    return message


def test_results_are_made_from_the_matte_on_the_cpu(api: Api, job: Job) -> None:
    api.render()(delivery(request(api)))
    told = api.scene.completed(job)
    assert (told.lane, told.cold_start) == ("cpu", False)
    assert [result.cache for result in told.results] == ["hit", "matte"]
    assert {cost.kind for cost in api.scene.costs(job, kind="cpu")} == {"cpu"}


def test_a_duplicate_tells_the_same_again(api: Api, job: Job) -> None:
    for _ in range(2):
        api.render()(delivery(request(api)))
    first, second = [m for m in api.scene.publisher.on("results") if job.job_id in m.attributes["ce-subject"]]
    assert first == second


def test_a_job_whose_matte_is_gone_is_handed_over_to_a_worker(api: Api, job: Job) -> None:
    for name in api.scene.store.names(BUCKETS.mattes):
        api.scene.store.delete(BUCKETS.mattes, name)
    api.render()(delivery(request(api)))
    api.render()(delivery(request(api)))
    handed_over = [m for m in api.scene.publisher.on("jobs") if job.job_id in m.attributes["ce-subject"]]
    assert len({message.attributes["ce-id"] for message in handed_over}) == 1
    assert handed_over[0].attributes["ce-id"] != request(api).attributes["ce-id"]
    assert '"lane":"gpu"' in handed_over[0].data
    assert not [m for m in api.scene.publisher.on("results") if job.job_id in m.attributes["ce-subject"]]


def test_a_job_whose_matte_can_not_be_read_is_handed_over_to_a_worker(api: Api, job: Job) -> None:
    api.scene.damage_mattes()
    api.render()(delivery(request(api)))
    api.scene.processor().process(api.scene.message(job))
    assert [result.cache for result in api.scene.completed(job).results] == ["hit", "miss"]


def test_the_worker_then_completes_the_job_in_its_own_lane(api: Api, job: Job) -> None:
    for name in api.scene.store.names(BUCKETS.mattes):
        api.scene.store.delete(BUCKETS.mattes, name)
    api.render()(delivery(request(api)))
    api.scene.processor().process(api.scene.message(job))
    told = api.scene.completed(job)
    assert told.lane == "gpu"
    assert [result.cache for result in told.results] == ["hit", "miss"]


def test_a_malformed_message_is_delivered_again_and_ends_among_the_dead_letters(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    event = CloudEvent.create({"type": "x", "source": "//x"}, {"message": {"data": "e30=", "messageId": "1"}})
    with pytest.raises(InvalidMessageError):
        api.render()(event)
    assert "render_event_invalid" in caplog.messages


def test_a_failure_that_may_pass_has_the_message_delivered_again(api: Api, job: Job) -> None:
    api.scene.faults.arm(3, TransientError("storage: no answer"))
    with pytest.raises(TransientError):
        api.render()(delivery(request(api)))
    api.render()(delivery(request(api)))
    assert api.scene.completed(job).results
