"""The functions may die at any line; every receiver is told all the same, under one id.

Each test lets something go wrong at every single operation on store, publisher and network, from the result event to
the last answer, one world for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from events.errors import TransientError
from tests.fakes import Crash
from tests.unit.examples import TENANT
from tests.unit.webhooks.world import World, receiver
from webhooks.ports import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

_REQUESTS: Final = {"steady": 1, "shaky": 3, "dead": 2}
"""To each receiver, where nothing goes wrong but what the receivers do."""

every_fault = pytest.mark.parametrize(
    ("error", "after"),
    [(Crash, False), (Crash, True), (TransientError, False), (TransientError, True)],
    ids=["crash-before", "crash-after", "failure", "lost-answer"],
)


def one_job() -> World:
    """One receiver answers at once, one at the third attempt, one never."""
    world = World([receiver(name) for name in _REQUESTS])
    world.sender.answers = {
        f"{TENANT}/shaky": [Answer(500), Answer(500)],
        f"{TENANT}/dead": [Answer(500), Answer(404), Answer(404), Answer(404)],
    }
    world.completed()
    return world


def live(world: World) -> None:
    world.pump()
    world.pass_time(600, step=30)


def disturbed(error: type[BaseException], *, after: bool) -> Iterator[World]:
    calm = one_job()
    before = len(calm.scene.faults.operations)
    live(calm)
    # Sweeps that find nothing come after the last operation of interest.
    operations = calm.scene.faults.operations[before:]
    last = max(number for number, name in enumerate(operations, start=1) if not name.startswith("list "))
    assert last > 30
    for nth in range(1, last + 1):
        world = one_job()
        world.scene.faults.arm(nth, error("gone"), after=after)
        live(world)
        yield world


@every_fault
def test_whatever_dies_when_every_receiver_is_told(error: type[BaseException], after: bool) -> None:  # noqa: FBT001
    for world in disturbed(error, after=after):
        for name in ("steady", "shaky"):
            posts = world.sender.to(name)
            assert posts, name
            assert len({post.headers["webhook-id"] for post in posts}) == 1
            assert not world.sender.answers.get(f"{TENANT}/{name}")
        assert world.waiting() == []


@every_fault
def test_whatever_dies_when_what_can_not_be_told_is_kept(error: type[BaseException], after: bool) -> None:  # noqa: FBT001
    for world in disturbed(error, after=after):
        letters = world.scene.publisher.on("dead-letters")
        assert len({letter.attributes["ce-id"] for letter in letters}) == 1
        assert {letter.attributes["reason"] for letter in letters} == {"rejected: 404"}


@every_fault
def test_a_disturbance_costs_a_receiver_at_most_one_request_more(error: type[BaseException], after: bool) -> None:  # noqa: FBT001
    """Duplicates don't multiply: an attempt that is made twice leads to one next attempt."""
    for world in disturbed(error, after=after):
        for name, requests in _REQUESTS.items():
            assert len(world.sender.to(name)) <= requests + 1


def test_a_sweep_that_runs_twice_at_every_turn_does_not_multiply_attempts() -> None:
    world = one_job()
    world.sender.answers[f"{TENANT}/shaky"] = [Answer(500)] * 6
    world.pump()
    for _ in range(60):
        world.scene.clock.advance(60)
        twice(world)
        world.pump()
    attempts = [event.data.attempt for event in world.deliveries() if event.data.receiver == "shaky"]
    assert max(attempts) <= 7
    assert all(attempts.count(number) <= 2 for number in attempts)


def twice(world: World) -> None:
    """Two sweeps that list the same entries, read the same records and then publish both."""
    entries = world.parking.entries(world.scene.clock())
    messages = [world.parking.message(entry) for entry in entries]
    for _ in range(2):
        world.scene.desk.settlement.publish(message for message in messages if message is not None)
    for entry in entries:
        world.parking.remove(entry)
