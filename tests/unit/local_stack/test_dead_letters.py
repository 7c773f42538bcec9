"""What `python -m local dead-letters` prints and sends, over fakes."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from jobs.dead_letters import DeadLetter, DeadLetters, given_up
from jobs.refusals import labels
from local.dead_letters import Place, list_letters, replay
from tests.fakes import Crash
from tests.unit.examples import AT, TENANT
from tests.unit.scene import BUCKETS
from tests.unit.webhooks.world import World
from webhooks.ports import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

from events.messages import PubsubMessage

LETTERS = "d-cutout"


@pytest.fixture
def world() -> World:
    """A receiver is gone, so there is one letter of a delivery."""
    made = World()
    made.sender.answers[f"{TENANT}/orders"] = [Answer(410)]
    made.completed()
    made.pump()
    [message] = made.scene.publisher.on("dead-letters")
    keep(made, message.data.encode(), message.attributes)
    return made


def keep(world: World, data: bytes, attributes: dict[str, str], *, message_id: str = "7") -> DeadLetter:
    message = given_up(PubsubMessage(message_id=message_id, data=data, attributes=attributes))
    letter = DeadLetter.of_other(message, message_id, message.reason, at=AT)
    DeadLetters(world.scene.store, LETTERS).keep(letter)
    return letter


def place(world: World) -> Place:
    scene = world.scene
    return Place(store=scene.store, publisher=scene.publisher, jobs_bucket=BUCKETS.jobs, letters_bucket=LETTERS)


def listed(world: World) -> str:
    console = Console(file=StringIO(), width=400)
    assert list_letters(place(world), console) == 0
    return printed(console)


def replayed(world: World, chosen: Sequence[str] | None) -> tuple[int, str]:
    console = Console(file=StringIO(), width=400)
    return replay(place(world), console, chosen, wait=0), printed(console)


def printed(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_delivery_is_listed_with_its_job_its_receiver_and_why_it_was_given_up(world: World) -> None:
    [row] = [line for line in listed(world).splitlines() if "~other/" in line]
    job = world.scene.jobs[0]
    for told in (
        "cutout.delivery.requested.v1",
        f"{job.tenant}/{job.job_id}",
        "to orders",
        "deliver",
        "rejected: 410",
    ):
        assert told in row


def test_a_delivery_goes_back_to_its_topic_without_what_was_said_of_it(world: World) -> None:
    assert replayed(world, None) == (0, "1 of 1 letters sent again\n")
    again = world.scene.publisher.on("deliveries")[-1]
    assert labels("", "").keys().isdisjoint(again.attributes)
    assert world.scene.store.names(LETTERS) == ()
    world.pump()
    assert [post.receiver for post in world.sender.posts] == [f"{TENANT}/orders"] * 2


def test_one_letter_that_can_not_be_read_keeps_no_other(world: World) -> None:
    world.scene.store.put(LETTERS, f"{TENANT}/broken.json", b"[/red] no JSON")
    [row] = [line for line in listed(world).splitlines() if "broken.json" in line]
    assert "it can't be read: $: not JSON" in row
    status, told = replayed(world, [f"{TENANT}/broken.json"])
    assert status == 1
    assert "not replayed: nothing says where it was published" in told
    assert replayed(world, None) == (0, "1 of 1 letters sent again\n")
    assert world.scene.store.names(LETTERS) == (f"{TENANT}/broken.json",)


def test_a_replay_that_dies_before_it_clears_a_letter_away_keeps_it(world: World) -> None:
    world.scene.faults.arm(4, Crash())  # list, read, publish, delete
    with pytest.raises(Crash):
        replayed(world, None)
    assert len(world.scene.store.names(LETTERS)) == 1
    assert len(world.scene.publisher.on("deliveries")) == 2
