from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from events.envelope import decode, job_event
from events.errors import ConflictError
from events.ids import event_id
from events.messages import CostRecorded, JobRequested, ResultCompleted, ResultFailed, WarmupRequested
from events.trace import trace_id
from jobs.dead_letters import DeadLetter, GivenUp, RetriesExhaustedError
from jobs.outcome import JobRun, failed
from jobs.replay import Replay, Sent, job_of, latest
from tests.unit.examples import EXAMPLES, JOB_ID, TENANT, TRACEPARENT
from tests.unit.scene import BUCKETS, Scene, photo

if TYPE_CHECKING:
    from events.envelope import Event
    from events.messages import Message

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def replay(scene: Scene) -> Replay:
    return Replay(scene.store, scene.publisher, BUCKETS.jobs, scene.clock)


def give_up(scene: Scene, job: JobRequested) -> None:
    run = JobRun(job_id=job.job_id, tenant=job.tenant, run=job.run, source="test", traceparent=TRACEPARENT)
    scene.desk.settlement.fail(run, failed(run, RetriesExhaustedError("it failed"), at=AT))


def test_the_next_run_of_the_same_job_is_asked_for_and_can_be_done() -> None:
    scene = Scene()
    job, wanted = scene.queued()
    give_up(scene, wanted.data)
    sent = replay(scene).send(wanted)
    assert sent == Sent(tenant=job.tenant, job_id=job.job_id, run=1)
    again = decode(scene.publisher.on("jobs")[-1].data, scene.publisher.on("jobs")[-1].attributes, JobRequested)
    assert again.data == msgspec.structs.replace(wanted.data, run=1)
    assert again.id == event_id(job.job_id, JobRequested.type, "gpu", 1) != wanted.id
    assert trace_id(again.traceparent) == trace_id(wanted.traceparent)

    assert replay(scene).outcome(sent) is None
    scene.processor().process(again)
    told = replay(scene).outcome(sent)
    assert isinstance(told, ResultCompleted)
    assert (told.job_id, told.run) == (job.job_id, 1)
    assert scene.records(job) == ["awaiting_upload.json", "done.json", "failed-0.json", "queued.json"]


def test_a_run_that_failed_again_is_followed_by_the_one_after_it() -> None:
    scene = Scene()
    _, wanted = scene.queued()
    give_up(scene, wanted.data)
    sent = replay(scene).send(wanted)
    give_up(scene, msgspec.structs.replace(wanted.data, run=1))
    told = replay(scene).outcome(sent)
    assert isinstance(told, ResultFailed)
    assert told.code == "retries_exhausted"
    assert replay(scene).send(wanted).run == 2


def test_two_replays_at_once_ask_for_one_run() -> None:
    scene = Scene()
    _, wanted = scene.queued()
    give_up(scene, wanted.data)
    for _ in range(2):
        replay(scene).send(wanted)
    assert len({message.attributes["ce-id"] for message in scene.publisher.on("jobs")}) == 2


def test_a_job_that_is_done_deleted_or_unknown_is_not_replayed() -> None:
    scene = Scene()
    done, wanted = scene.queued()
    scene.processor().process(wanted)
    assert replay(scene).standing(wanted.data) == "done"
    with pytest.raises(ConflictError, match="it is done"):
        replay(scene).send(wanted)
    scene.desk.removal.remove(done.tenant, done.job_id)
    assert replay(scene).standing(wanted.data) == "deleted"
    with pytest.raises(ConflictError, match="it was deleted"):
        replay(scene).send(wanted)
    assert replay(Scene()).standing(wanted.data) == "unknown"
    with pytest.raises(ConflictError, match="no such job"):
        replay(Scene()).send(wanted)


def test_a_job_whose_photo_is_another_or_gone_is_not_replayed() -> None:
    scene = Scene()
    job, wanted = scene.queued()
    assert replay(scene).standing(wanted.data) == "open"
    scene.store.put(BUCKETS.uploads, job.stat.name, b"another generation")
    for _ in range(2):
        assert replay(scene).standing(wanted.data) == "photo gone"
        with pytest.raises(ConflictError, match="no longer kept; it can only be uploaded again"):
            replay(scene).send(wanted)
        scene.store.delete(BUCKETS.uploads, job.stat.name)
    assert len(scene.publisher.on("jobs")) == 1


def test_of_each_job_the_letter_of_its_latest_run_counts() -> None:
    scene = Scene()
    _, first = scene.queued()
    _, second = scene.queued(photo(1))
    runs = [msgspec.structs.replace(first, data=msgspec.structs.replace(first.data, run=run)) for run in (0, 2, 1)]
    other = DeadLetter.of_other(as_given_up(b"x", {}), "7", "why", at=AT)
    chosen = latest([*map(letter_of, (*runs, second)), other])
    jobs = [job_of(letter) for letter in chosen]
    assert [None if job is None else (job.data.job_id, job.data.run) for job in jobs] == [
        (first.data.job_id, 2),
        (second.data.job_id, 0),
        None,
    ]


@pytest.mark.parametrize(
    ("example", "topic"),
    [
        (JobRequested, "jobs"),
        (ResultCompleted, "results"),
        (ResultFailed, "results"),
        (CostRecorded, "costs"),
        (WarmupRequested, None),
    ],
)
def test_a_messages_topic_is_known_by_its_lane_or_where_its_type_has_one(
    example: type[Message], topic: str | None
) -> None:
    [data] = [one for one in EXAMPLES if isinstance(one, example)]
    assert as_given_up(msgspec.json.encode(data), attributes_of(data)).topic == topic


def letter_of(wanted: Event[JobRequested]) -> DeadLetter:
    message = wanted.outgoing("jobs")
    return DeadLetter.of_job(as_given_up(message.data.encode(), message.attributes), wanted.data, at=AT)


def as_given_up(data: bytes, attributes: dict[str, str]) -> GivenUp:
    return GivenUp(data=data, attributes=attributes, subscription="s", attempts=5)


def attributes_of(data: Message) -> dict[str, str]:
    event = job_event(data, tenant=TENANT, job_id=JOB_ID, part="", run=0, source="t", time=AT, traceparent=TRACEPARENT)
    return event.outgoing(data.topics[0]).attributes
