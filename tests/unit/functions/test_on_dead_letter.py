from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from cloudevents.http import CloudEvent

from events.envelope import decode_result
from events.ids import event_id
from events.messages import ResultCompleted, ResultFailed
from events.trace import trace_id
from functions.on_dead_letter import OnDeadLetter
from functions.on_upload import recipes_of
from jobs.dead_letters import DeadLetters
from jobs.lost_uploads import LostUploads
from jobs.replay import Replay
from tests.fakes import Crash
from tests.unit.examples import TENANT, TRACEPARENT
from tests.unit.scene import BUCKETS, Scene
from tests.unit.warehouse.test_record_cost import World as Costs
from tests.unit.webhooks.world import World, pushed
from warehouse.ports import Refusal
from webhooks.ports import Answer

if TYPE_CHECKING:
    from events.envelope import Event, Outgoing
    from events.messages import JobRequested
    from jobs.dead_letters import DeadLetter
    from tests.unit.scene import Job

BUCKET = "d-cutout"
KEPT: Final = ("dead_letter_kept", "letter_kept")
FORWARDED = {
    "CloudPubSubDeadLetterSourceDeliveryCount": "5",
    "CloudPubSubDeadLetterSourceSubscription": "jobs-worker",
}


def function(scene: Scene) -> OnDeadLetter:
    uploads = LostUploads(scene.desk, scene.dispatch, recipes_of)
    return OnDeadLetter(scene.desk, DeadLetters(scene.store, BUCKET), uploads, meter=scene.meter)


def event_of(data: bytes, attributes: dict[str, str], *, message_id: str = "7") -> CloudEvent:
    message = {"data": base64.b64encode(data).decode(), "attributes": attributes, "messageId": message_id}
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


def lost(scene: Scene, job: Job, **changes: object) -> CloudEvent:
    """What is left of the event of an upload."""
    data = json.dumps(scene.finalized(job, **changes).data).encode()
    return event_of(data, {"eventType": "OBJECT_FINALIZE", **FORWARDED})


class TestAnUploadWhoseEventWasGivenUp:
    def test_fails_its_job_which_a_replay_can_do(self) -> None:
        scene = Scene()
        job = scene.upload()
        function(scene)(lost(scene, job))
        [event] = told(scene, job)
        assert isinstance(event.data, ResultFailed)
        assert (event.data.code, event.data.run) == ("retries_exhausted", 0)
        assert trace_id(event.traceparent) == trace_id(TRACEPARENT)
        [letter] = letters(scene)
        assert letter.name == f"{job.tenant}/{job.job_id}/run-0-gpu.json"
        assert (letter.message.subscription, letter.message.attempts) == ("jobs-worker", 5)
        assert scene.publisher.on("jobs") == []

        sent = Replay(scene.store, scene.publisher, BUCKETS.jobs, scene.clock).send(letter.message.job())
        again = scene.message(job)
        assert (sent.job_id, again.data.run) == (job.job_id, 1)
        assert (again.data.sha256, again.data.recipes) == (job.sha256, job.recipes)
        scene.processor().process(again)
        done = told(scene, job)[-1].data
        assert isinstance(done, ResultCompleted)
        assert (done.job_id, done.run) == (job.job_id, 1)

    def test_leaves_nothing_behind_when_its_shopper_takes_the_job_back(self) -> None:
        scene = Scene()
        job = scene.upload()
        function(scene)(lost(scene, job))
        [letter] = letters(scene)
        Replay(scene.store, scene.publisher, BUCKETS.jobs, scene.clock).send(letter.message.job())
        scene.processor().process(scene.message(job))
        assert scene.computed(job)
        scene.desk.removal.remove(job.tenant, job.job_id)
        assert scene.computed(job) == []
        assert scene.references(job) == []
        assert scene.store.names(BUCKETS.uploads) == ()

    @pytest.mark.parametrize("metadata", [{}, {"recipes": "[]"}])
    def test_can_only_be_uploaded_again_if_it_makes_no_job(self, metadata: dict[str, str]) -> None:
        scene = Scene()
        job = scene.upload()
        function(scene)(lost(scene, job, metadata=metadata))
        [event] = told(scene, job)
        assert isinstance(event.data, ResultFailed)
        assert "upload it again" in event.data.message
        [letter] = letters(scene)
        assert letter.name == f"{job.tenant}/{job.job_id}/upload.json"
        assert letter.message.topic is None

    def test_can_only_be_uploaded_again_if_the_photo_is_gone(self) -> None:
        scene = Scene()
        job = scene.upload()
        event = lost(scene, job)
        scene.store.delete(BUCKETS.uploads, job.stat.name)
        function(scene)(event)
        assert letters(scene)[0].name.endswith("/upload.json")
        assert len(told(scene, job)) == 1

    def test_is_sent_on_if_somebody_had_looked_at_it(self) -> None:
        """Whether the message was ever published, nobody knows; a second one is the same, word for word."""
        scene = Scene()
        job, wanted = scene.queued()
        function(scene)(lost(scene, job))
        assert told(scene, job) == []
        assert letters(scene) == []
        assert len(scene.publisher.on("jobs")) == 2
        assert scene.message(job) == wanted

    def test_that_had_its_results_at_once_fails_if_nobody_told_them(self) -> None:
        calm, again = Scene(), Scene()
        calm.run()
        job = calm.upload()
        before = len(calm.faults.operations)
        calm.on_upload()(calm.finalized(job))
        [nth] = [
            number
            for number, name in enumerate(calm.faults.operations[before:], start=1)
            if name.startswith("create ") and name.endswith("/done.json")
        ]
        again.run()
        job = again.upload()
        again.faults.arm(nth, Crash())
        with pytest.raises(Crash):
            again.on_upload()(again.finalized(job))
        assert again.records(job) == ["awaiting_upload.json", "queued.json"]
        function(again)(lost(again, job))
        assert isinstance(told(again, job)[0].data, ResultFailed)
        [letter] = letters(again)
        Replay(again.store, again.publisher, BUCKETS.jobs, again.clock).send(letter.message.job())
        again.processor().process(again.message(job))
        assert isinstance(told(again, job)[-1].data, ResultCompleted)

    def test_is_made_good_after_a_crash_at_any_step(self) -> None:
        steps = 0
        while True:
            scene = Scene()
            job = scene.upload()
            scene.faults.arm(steps + 1, Crash())
            try:
                function(scene)(lost(scene, job))
            except Crash:
                steps += 1
            else:
                break
            function(scene)(lost(scene, job))
            [event] = told(scene, job)
            assert isinstance(event.data, ResultFailed)
            [letter] = letters(scene)
            assert letter.name.endswith("/run-0-gpu.json")
            assert scene.records(job) == ["awaiting_upload.json", "failed-0.json", "queued.json"]
        assert steps >= 8


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


class TestALetterThatIsNoJobs:
    def test_of_a_delivery_says_why_the_receiver_was_given_up_and_is_no_error(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        world = World()
        world.sender.answers[f"{TENANT}/orders"] = [Answer(410)]
        job, _ = world.completed()
        world.pump()
        [sent] = world.scene.publisher.on("dead-letters")
        with caplog.at_level(logging.INFO):
            function(world.scene)(event_of(sent.data.encode(), sent.attributes))
        [letter] = letters(world.scene)
        assert letter.reason == "rejected: 410"
        assert (letter.message.subscription, letter.message.receiver, letter.message.topic) == (
            "deliver",
            "orders",
            "deliveries",
        )
        assert {"reason", "refused-by"}.isdisjoint(letter.message.attributes)
        [line] = [record for record in caplog.records if record.message in KEPT]
        assert (line.message, line.levelno) == ("letter_kept", logging.WARNING)
        told = vars(line)
        assert (told["event_type"], told["subject"], told["receiver"], told["reason"]) == (
            "cutout.delivery.requested.v1",
            f"{job.tenant}/{job.job_id}",
            "orders",
            "rejected: 410",
        )

    def test_of_a_cost_row_says_why_it_was_refused(self, caplog: pytest.LogCaptureFixture) -> None:
        scene, costs = Scene(), Costs()
        costs.refusal = Refusal(0, "invalid occurred_at", permanent=True)
        costs.deliver()
        sent = costs.dead_letter()
        with caplog.at_level(logging.INFO):
            function(scene)(event_of(sent.data.encode(), sent.attributes))
        [letter] = letters(scene)
        assert letter.reason == "the table refused the row: invalid occurred_at"
        assert (letter.message.subscription, letter.message.topic) == ("record-cost", "costs")
        assert "reason" not in letter.message.attributes
        [line] = [record for record in caplog.records if record.message in KEPT]
        assert (line.message, line.levelno) == ("letter_kept", logging.ERROR)

    def test_of_a_delivery_that_pubsub_gave_up_is_an_error_of_ours(self, caplog: pytest.LogCaptureFixture) -> None:
        world = World()
        _, told = world.completed()
        world.notify()(pushed(told))
        [sent] = world.scene.publisher.on("deliveries")
        function(world.scene)(event_of(sent.data.encode(), sent.attributes | FORWARDED))
        [line] = [record for record in caplog.records if record.message in KEPT]
        assert (line.message, line.levelno) == ("letter_kept", logging.ERROR)
        assert letters(world.scene)[0].reason.startswith("$.ce-type: expected cutout.job.requested.v1")

    def test_is_kept_once_however_often_it_comes_and_again_when_it_is_given_up_again(self) -> None:
        scene = Scene()
        for message_id in ("7", "7", "8"):
            function(scene)(event_of(b"x", {}, message_id=message_id))
        assert len(letters(scene)) == 2

    def test_that_is_given_up_again_while_a_replay_clears_the_first_away_is_not_lost(self) -> None:
        scene = Scene()
        function(scene)(event_of(b"x", {}))
        [first] = letters(scene)
        function(scene)(event_of(b"x", {}, message_id="8"))
        DeadLetters(scene.store, BUCKET).clear(first)
        assert [letter.message.data for letter in letters(scene)] == [b"x"]


def test_a_letter_that_can_not_be_read_is_among_the_others_as_what_it_is() -> None:
    scene = Scene()
    _, wanted = scene.queued()
    give_up(scene, wanted)
    scene.store.put(BUCKET, "0/broken.json", b"{}")
    broken, kept = letters(scene)
    assert (broken.name, broken.kept_at, broken.message.data) == ("0/broken.json", None, b"{}")
    assert broken.reason.startswith("it can't be read: $.name: required")
    assert broken.message.topic is None
    assert kept.message.job() == wanted


def test_a_job_is_kept_under_another_event_than_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    _, wanted = scene.queued()
    give_up(scene, wanted)
    assert [record.message for record in caplog.records if record.message in KEPT] == ["dead_letter_kept"]


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
