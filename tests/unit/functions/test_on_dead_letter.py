from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cloudevents.http import CloudEvent

from events.envelope import decode_result
from events.ids import event_id
from events.messages import ResultCompleted, ResultFailed
from functions.on_dead_letter import OnDeadLetter
from jobs.dead_letters import DeadLetters
from tests.fakes import Crash
from tests.unit.scene import BUCKETS, Scene

if TYPE_CHECKING:
    from events.envelope import Event, Outgoing
    from events.messages import JobRequested
    from jobs.dead_letters import DeadLetter
    from tests.unit.scene import Job

BUCKET = "d-cutout"
FORWARDED = {
    "CloudPubSubDeadLetterSourceDeliveryCount": "5",
    "CloudPubSubDeadLetterSourceSubscription": "jobs-worker",
}


def function(scene: Scene) -> OnDeadLetter:
    return OnDeadLetter(scene.desk, DeadLetters(scene.store, BUCKET), meter=scene.meter)


def event_of(data: bytes, attributes: dict[str, str]) -> CloudEvent:
    message = {"data": base64.b64encode(data).decode(), "attributes": attributes, "messageId": "7"}
    head = {"id": "7", "type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//pubsub"}
    return CloudEvent.create(head, {"message": message, "subscription": "s"})


def dead(message: Outgoing) -> CloudEvent:
    return event_of(message.data.encode(), message.attributes | FORWARDED)


def letters(scene: Scene) -> list[DeadLetter]:
    return DeadLetters(scene.store, BUCKET).all()


def told(scene: Scene, job: Job) -> list[Event[ResultCompleted | ResultFailed]]:
    events = [decode_result(sent.data, sent.attributes) for sent in scene.publisher.distinct("results")]
    return [event for event in events if event.data.job_id == job.job_id]


def give_up(scene: Scene, wanted: Event[JobRequested]) -> None:
    function(scene)(dead(wanted.outgoing("jobs")))


def test_a_job_that_is_not_done_fails_for_now_and_its_message_is_kept() -> None:
    scene = Scene()
    job, wanted = scene.queued()
    give_up(scene, wanted)
    [event] = told(scene, job)
    assert isinstance(event.data, ResultFailed)
    assert (event.data.code, event.data.retryable, event.data.run) == ("retries_exhausted", True, 0)
    assert event.id == event_id(job.job_id, ResultFailed.type, "", 0)
    assert scene.records(job) == ["awaiting_upload.json", "failed-0.json", "queued.json"]
    [letter] = letters(scene)
    assert letter.name == f"{job.tenant}/{job.job_id}/run-0-gpu.json"
    assert (letter.message.subscription, letter.message.attempts) == ("jobs-worker", 5)
    assert letter.message.job() == wanted
    assert letter.message.topic == "jobs"
    [cost] = scene.costs(job, kind="function")[-1:]
    assert cost.usd > 0


def test_a_job_that_is_done_after_all_tells_that_again_and_nothing_is_kept() -> None:
    scene = Scene()
    job, wanted = scene.queued()
    scene.processor().process(wanted)
    give_up(scene, wanted)
    assert len(scene.publisher.on("results")) == 2
    [event] = told(scene, job)
    assert isinstance(event.data, ResultCompleted)
    assert letters(scene) == []
    assert "failed-0.json" not in scene.records(job)


def test_a_job_that_failed_for_good_tells_that_again() -> None:
    scene = Scene()
    job, wanted = scene.queued()
    scene.store.delete(BUCKETS.uploads, job.stat.name)
    scene.processor().process(wanted)
    give_up(scene, wanted)
    [event] = told(scene, job)
    assert isinstance(event.data, ResultFailed)
    assert event.data.code == "upload_missing"
    assert letters(scene) == []


def test_nothing_is_told_or_kept_of_a_job_that_was_taken_back() -> None:
    scene = Scene()
    job, wanted = scene.queued()
    scene.desk.removal.remove(job.tenant, job.job_id)
    give_up(scene, wanted)
    assert told(scene, job) == []
    assert letters(scene) == []


def test_a_message_of_a_job_that_nobody_knows_is_kept_and_not_told() -> None:
    scene, elsewhere = Scene(), Scene()
    _, wanted = elsewhere.queued()
    give_up(scene, wanted)
    assert scene.publisher.messages == []
    assert len(letters(scene)) == 1


def test_an_upload_whose_event_was_given_up_fails_its_job() -> None:
    scene = Scene()
    job = scene.upload()
    function(scene)(event_of(json.dumps(scene.finalized(job).data).encode(), {"eventType": "OBJECT_FINALIZE"}))
    [event] = told(scene, job)
    assert isinstance(event.data, ResultFailed)
    assert event.data.code == "retries_exhausted"
    [letter] = letters(scene)
    assert letter.name == f"{job.tenant}/{job.job_id}/upload.json"
    assert letter.message.topic is None


def test_an_upload_that_went_on_after_all_is_left_alone() -> None:
    scene = Scene()
    job, _ = scene.queued()
    function(scene)(event_of(json.dumps(scene.finalized(job).data).encode(), {}))
    assert told(scene, job) == []
    assert letters(scene) == []


def test_an_upload_of_another_bucket_is_kept_as_what_it_is() -> None:
    scene = Scene()
    data = scene.finalized(scene.upload(), bucket="elsewhere").data
    function(scene)(event_of(json.dumps(data).encode(), {}))
    assert letters(scene)[0].name.startswith("~other/")
    assert scene.publisher.messages == []


@pytest.mark.parametrize("body", [{"message": "none"}, [], "text", {"message": {"data": "!!!", "messageId": "1"}}])
def test_a_body_that_pubsub_never_sends_is_kept_too(body: Any) -> None:
    scene = Scene()
    head = {"id": "9", "type": "t", "source": "s"}
    function(scene)(CloudEvent.create(head, body))
    [letter] = letters(scene)
    assert json.loads(letter.message.data) == body
    assert letter.reason


def test_an_odd_delivery_count_is_no_reason_to_lose_the_message() -> None:
    scene = Scene()
    function(scene)(event_of(b"x", {"CloudPubSubDeadLetterSourceDeliveryCount": "²many"}))
    assert letters(scene)[0].message.attempts is None


def test_a_crash_at_any_step_is_made_good_by_the_next_delivery() -> None:
    steps = 0
    while True:
        scene = Scene()
        job, wanted = scene.queued()
        scene.faults.arm(steps + 1, Crash())
        try:
            give_up(scene, wanted)
        except Crash:
            steps += 1
        else:
            break
        give_up(scene, wanted)
        [event] = told(scene, job)
        assert isinstance(event.data, ResultFailed)
        assert len(letters(scene)) == 1
        assert len(scene.spend(job)) == 1
    assert steps >= 6


def test_a_job_that_nobody_asked_for_gives_its_reference_back_and_is_not_told() -> None:
    scene = Scene()
    job, wanted = scene.queued()
    give_up(scene, msgspec.structs.replace(wanted, data=msgspec.structs.replace(wanted.data, speculative=True)))
    assert told(scene, job) == []
    assert letters(scene) == []
    assert scene.references(job) == []
