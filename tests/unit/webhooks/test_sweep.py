from __future__ import annotations

import flask
import pytest

from events.errors import TransientError
from tests.unit.examples import TENANT
from tests.unit.scene import BUCKETS
from tests.unit.webhooks.world import World, receiver
from webhooks.ports import Answer


@pytest.fixture
def world() -> World:
    """Three deliveries are parked, each by itself."""
    names = ("a", "b", "c")
    made = World([receiver(name) for name in names])
    made.sender.answers = {f"{TENANT}/{name}": [Answer(500)] for name in names}
    made.completed()
    made.pump()
    made.scene.clock.advance(60)
    return made


def test_what_is_due_is_published_and_taken_away(world: World) -> None:
    assert world.sweep() == 3
    assert world.parked() == []
    assert world.sweep() == 0
    world.pump()
    assert {post.receiver: post.headers["webhook-id"] for post in world.sender.posts[:3]} == {
        post.receiver: post.headers["webhook-id"] for post in world.sender.posts[3:]
    }


@pytest.mark.parametrize("operation", [2, 3, 4, 5])
def test_one_that_can_not_be_published_keeps_no_other(world: World, operation: int) -> None:
    world.scene.faults.arm(operation, TransientError("the network is gone"))
    with pytest.raises(TransientError, match="1 deliveries"):
        world.sweep()
    assert len(world.parked()) <= 2
    assert world.sweep() == 1
    assert world.parked() == []
    assert len({event.id for event in world.deliveries() if event.data.attempt == 2}) == 3


def test_one_that_can_not_be_read_is_a_dead_letter_and_keeps_no_other(world: World) -> None:
    poison, *_ = world.parking.entries(world.scene.clock())
    event_id = poison.rpartition("/")[2]
    [record] = [name for name in world.parked() if name.endswith(f"{event_id}.json")]
    world.scene.store.put(BUCKETS.jobs, record, b'{"due": "never"}')
    assert world.sweep() == 3
    assert world.parked() == []
    assert len([event for event in world.deliveries() if event.data.attempt == 2]) == 2
    [letter] = world.scene.publisher.on("dead-letters")
    assert letter.data == '{"due": "never"}'
    assert (letter.attributes["ce-id"], letter.attributes["refused-by"]) == (event_id, "sweep-deliveries")
    assert "$.message: required, but missing" in letter.attributes["reason"]


def test_one_that_can_not_be_read_stays_until_the_dead_letters_have_it(world: World) -> None:
    entry, *_ = world.parking.entries(world.scene.clock())
    [record] = [name for name in world.parked() if name.endswith(f"{entry.rpartition('/')[2]}.json")]
    world.scene.store.put(BUCKETS.jobs, record, b"no JSON")
    world.scene.faults.arm(3, TransientError("Pub/Sub is away"))
    with pytest.raises(TransientError, match="1 deliveries"):
        world.sweep()
    assert world.parked() == [record, entry]
    assert world.sweep() == 1
    assert [letter.data for letter in world.scene.publisher.on("dead-letters")] == ["no JSON"]


def test_two_sweeps_at_once_publish_the_same_ids(world: World) -> None:
    entries = world.parking.entries(world.scene.clock())
    world.sweep()
    for entry in entries:
        assert world.parking.message(entry) is None
        world.parking.remove(entry)
    world.pump()
    assert len({event.id for event in world.deliveries()}) == 6


def test_the_function_says_how_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from functions import sweep_deliveries  # noqa: PLC0415  # only what `build` is made of matters here

    class Parts:
        desk = world.scene.desk
        settings = world.scene.desk
        publisher = world.scene.publisher

    function = sweep_deliveries.build(Parts())  # type: ignore[arg-type]  # it has what is asked for
    with flask.Flask("test").test_request_context(method="POST"):
        response = function(flask.request)
    assert (response.status_code, response.get_json()) == (200, {"published": 3})
