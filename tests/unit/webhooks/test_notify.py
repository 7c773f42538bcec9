from __future__ import annotations

import pytest

from events.errors import NoForegroundError, TransientError
from events.messages import CompletedNotice, FailedNotice
from events.trace import trace_id
from tests.unit.examples import TENANT, TRACEPARENT
from tests.unit.webhooks.world import World, pushed, receiver

COMPLETED, FAILED = "cutout.result.completed.v1", "cutout.result.failed.v1"


def test_each_receiver_gets_a_message_of_its_own_with_links() -> None:
    world = World([receiver("orders"), receiver("analytics")])
    job, told = world.completed()
    world.notify()(pushed(told))
    first, second = world.deliveries()
    assert [first.data.receiver, second.data.receiver] == ["orders", "analytics"]
    assert first.id != second.id
    assert first.data.delivery_id != second.data.delivery_id
    for event in (first, second):
        assert event.subject == f"{TENANT}/{job.job_id}"
        assert trace_id(event.traceparent) == trace_id(TRACEPARENT)
        assert (event.data.attempt, event.data.first_attempt_at) == (1, None)
        assert isinstance(event.data.notice, CompletedNotice)
        assert event.data.notice.result == world.scene.completed(job)
        assert all(event.data.notice.links)


def test_no_message_holds_a_receivers_url_or_secrets() -> None:
    world = World()
    _, told = world.completed()
    world.notify()(pushed(told))
    [message] = world.scene.publisher.on("deliveries")
    assert "topsecret" not in message.data
    assert "whsec_" not in message.data


def test_only_events_that_a_receiver_asked_for_reach_it() -> None:
    world = World([receiver("good", events=(COMPLETED,)), receiver("bad", events=(FAILED,))])
    _, told = world.completed()
    world.notify()(pushed(told))
    assert [event.data.receiver for event in world.deliveries()] == ["good"]
    world.notify()(pushed(world.failed(NoForegroundError("nothing stands out"))))
    assert [event.data.receiver for event in world.deliveries()] == ["good", "bad"]
    notice = world.deliveries()[-1].data.notice
    assert isinstance(notice, FailedNotice)
    assert notice.result.code == "no_foreground"


def test_a_tenant_without_receivers_costs_nothing() -> None:
    world = World([receiver("orders", events=(FAILED,))])
    _, told = world.completed()
    before = len(world.scene.faults.operations)
    world.notify()(pushed(told))
    assert world.scene.faults.operations[before:] == []
    assert world.scene.signer.signed == []


def test_a_result_event_that_comes_again_repeats_the_ids() -> None:
    world = World([receiver("orders"), receiver("analytics")])
    _, told = world.completed()
    world.notify()(pushed(told))
    world.scene.clock.advance(3600)
    world.notify()(pushed(told))
    first, second, *again = world.deliveries()
    assert [event.id for event in again] == [first.id, second.id]
    assert [event.data.delivery_id for event in again] == [first.data.delivery_id, second.data.delivery_id]


def test_another_job_has_other_ids() -> None:
    world = World()
    for _ in range(2):
        world.notify()(pushed(world.completed()[1]))
    assert len({event.data.delivery_id for event in world.deliveries()}) == 2


def test_a_message_that_is_no_result_is_a_dead_letter_and_acknowledged() -> None:
    world = World()
    world.scene.queued()
    [message] = world.scene.publisher.on("jobs")
    world.notify()(pushed(message))
    [letter] = world.scene.publisher.on("dead-letters")
    assert letter.data == message.data
    reason = letter.attributes.pop("reason")
    assert reason.startswith("$.ce-type: expected cutout.result")
    assert letter.attributes == message.attributes | {"refused-by": "notify"}


def test_a_dead_letter_that_can_not_be_sent_keeps_the_message() -> None:
    world = World()
    world.scene.queued()
    [message] = world.scene.publisher.on("jobs")
    world.scene.faults.arm(1, TransientError("Pub/Sub is away"))
    with pytest.raises(TransientError, match="away"):
        world.notify()(pushed(message))
