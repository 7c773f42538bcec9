from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from events.envelope import decode
from tests.unit.tracing import Recorder, context_of
from tests.unit.webhooks.world import World, pushed, receiver
from webhooks.ports import Answer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def world(recorder: Recorder) -> World:
    world = World([receiver("orders")])
    world.scene.desk = replace(world.scene.desk, tracer=recorder.tracer)
    return world


def id_of(span: ReadableSpan) -> str:
    return f"{context_of(span).span_id:016x}"


def span_id(traceparent: str) -> str:
    return traceparent.split("-")[2]


def test_a_delivery_follows_from_the_notice_which_follows_from_the_job(world: World, recorder: Recorder) -> None:
    job, told = world.completed()
    world.notify()(pushed(told))
    [delivery] = world.deliveries()
    world.deliver()(pushed(delivery.outgoing("deliveries")))

    notify, deliver = recorder.one("notify"), recorder.one("deliver")
    assert notify.parent is not None
    assert f"{notify.parent.span_id:016x}" == span_id(decode(told.data, told.attributes).traceparent)
    assert span_id(delivery.traceparent) == id_of(notify)
    assert recorder.parent(deliver) == "notify"
    [post] = world.sender.posts
    assert span_id(post.headers["traceparent"]) == id_of(deliver)
    assert recorder.attributes("notify")["receivers"] == 1
    assert recorder.attributes("deliver") == {
        "job_id": job.job_id,
        "tenant": job.tenant,
        "receiver": "orders",
        "attempt": 1,
        "outcome": "delivered",
        "status": 200,
    }


def test_the_next_attempt_follows_from_the_one_that_failed(world: World, recorder: Recorder) -> None:
    _, told = world.completed()
    world.sender.answers[f"{world.scene.jobs[0].tenant}/orders"] = [Answer(500)]
    world.notify()(pushed(told))
    [first] = world.deliveries()
    world.deliver()(pushed(first.outgoing("deliveries")))
    world.scene.clock.advance(60)
    world.sweep()
    second = world.deliveries()[-1]
    world.deliver()(pushed(second.outgoing("deliveries")))
    attempts = [span for span in recorder.spans if span.name == "deliver"]
    assert [(span.attributes or {})["cutout.outcome"] for span in attempts] == ["parked", "delivered"]
    assert attempts[1].parent is not None
    assert f"{attempts[1].parent.span_id:016x}" == id_of(attempts[0])
    assert "topsecret" not in "".join(span.to_json() for span in recorder.spans)
