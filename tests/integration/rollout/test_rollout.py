"""Rollouts against a Cloud Run Admin API, a Monitoring API and Pub/Sub on loopback."""

from __future__ import annotations

import itertools

import grpc
import pytest

from alerts.revisions import ROLLED_BACK_FROM, ROLLED_BACK_TO
from events.errors import TransientError
from rollout.plan import Finished, Refuse
from rollout.record import UNDER_WAY
from tests.fakes import Crash
from tests.integration.alerts.run_admin import target
from tests.integration.rollout.world import IMAGE, NEW, OLD, SERVICE, Traffic, World

GOOD = Traffic({"204": 40, "429": 5})
FAILING = Traffic({"204": 30, "500": 12})
UNAUTHORIZED = Traffic({"403": 8})
SLOW = Traffic({"204": 40}, seconds=6.0)
QUIET = Traffic({"204": 1})
REST = {"limit": 0, "under way": None, "ended": True, "revisions": [OLD, NEW], "lanes": ()}
NOTED = {"owner": "shop", ROLLED_BACK_TO: OLD}
PROMOTED = REST | {"traffic": [(NEW, 100, "")], "others": NOTED}
ROLLED_BACK = REST | {"traffic": [(OLD, 100, "")], "others": NOTED | {ROLLED_BACK_FROM: NEW}}


def test_a_good_revision_is_promoted(pubsub: str) -> None:
    with World(pubsub, traffic=GOOD) as world:
        end = world.roll_out(jobs=3)
        assert isinstance(end, Finished)
        assert end.outcome == "promoted"
        assert "0 of 40 failed" in end.reason
        assert len(world.candidate.done) == 3
        assert world.state() == PROMOTED


def test_it_gets_its_traffic_step_by_step_and_the_quota_holds(pubsub: str) -> None:
    with World(pubsub, traffic=GOOD) as world:
        world.roll_out()
        steps = [
            [(each.revision, each.percent, each.tag) for each in update.service.traffic]
            for update in world.run.updates
            if "traffic" in update.update_mask.paths
        ]
        assert steps == [
            [(OLD, 100, "")],
            [(OLD, 100, ""), (NEW, 0, "candidate")],
            [(OLD, 90, ""), (NEW, 10, "candidate")],
            [(NEW, 100, "")],
        ]
        limits = [update.service.scaling.max_instance_count for update in world.run.updates]
        assert set(limits[:-1]) == {2}
        assert limits[-1] == 0


@pytest.mark.parametrize(
    ("traffic", "reason"),
    [(FAILING, "more failures"), (UNAUTHORIZED, "more failures"), (SLOW, "most took longer"), (QUIET, "only 1 of 20")],
)
def test_a_bad_revision_is_rolled_back(pubsub: str, traffic: Traffic, reason: str) -> None:
    with World(pubsub, traffic=traffic) as world:
        end = world.roll_out()
        assert isinstance(end, Finished)
        assert end.outcome == "rolled_back"
        assert reason in end.reason
        assert world.state() == ROLLED_BACK


def test_a_revision_that_does_no_job_gets_no_traffic(pubsub: str) -> None:
    with World(pubsub, healthy=False) as world:
        end = world.roll_out()
        assert isinstance(end, Finished)
        assert "was not done in time" in end.reason
        assert all(
            each.percent == 0 for update in world.run.updates for each in update.service.traffic if each.revision == NEW
        )
        assert world.state() == ROLLED_BACK


def test_a_revision_that_does_not_start_is_taken_back(pubsub: str) -> None:
    with World(pubsub) as world:
        world.run.starts = False
        end = world.roll_out()
        assert isinstance(end, Finished)
        assert "startup probe" in end.reason
        assert world.state() == ROLLED_BACK


def test_the_same_again_changes_nothing(pubsub: str) -> None:
    with World(pubsub, traffic=GOOD) as world:
        world.roll_out()
        made = len(world.run.updates)
        end = world.roll_out(holder="build-2")
        assert isinstance(end, Finished)
        assert "serves this image already" in end.reason
        assert len(world.run.updates) == made


@pytest.mark.parametrize(("traffic", "left"), [(GOOD, PROMOTED), (FAILING, ROLLED_BACK)], ids=["good", "bad"])
def test_a_process_may_die_after_every_call(pubsub: str, traffic: Traffic, left: dict[str, object]) -> None:
    """The next one goes on, and what there is in the end is what there would have been."""
    with World(pubsub, traffic=traffic) as world:
        world.roll_out()
        calls = world.faults.operations
    assert {"UpdateService", "CreateTopic", "CreateSubscription", "Publish", "ListTimeSeries", "create"} <= set(calls)
    for nth, call in enumerate(calls, 1):
        with World(pubsub, traffic=traffic) as world:
            world.faults.arm(nth, Crash(), after=True)
            with pytest.raises(Crash):
                world.roll_out()
            end = world.roll_out()
            assert isinstance(end, Finished), (nth, call)
            assert world.state() == left, (nth, call)


def test_a_build_that_died_is_taken_over_by_the_next_one(pubsub: str) -> None:
    with World(pubsub, traffic=GOOD) as world:
        world.faults.arm(20, Crash())
        with pytest.raises(Crash):
            world.roll_out()
        refused = world.roll_out(holder="build-2")
        assert isinstance(refused, Refuse)
        assert "build-1" in refused.reason
        world.clock.advance(3600)
        end = world.roll_out(holder="build-2")
        assert isinstance(end, Finished)
        assert world.state() == PROMOTED


def test_what_an_earlier_rollout_left_is_swept_up(pubsub: str) -> None:
    with World(pubsub, traffic=GOOD) as world:
        world.leave_a_lane("rollout-smoke-europe-west4-gpu-worker-00000-old")
        world.leave_a_lane("rollout-smoke-us-central1-gpu-worker-00000-old")
        world.roll_out()
        assert [name.rpartition("/")[2] for name in world.lanes()] == [
            "rollout-smoke-us-central1-gpu-worker-00000-old"
        ] * 2


def test_somebody_elses_changes_are_kept_and_gone_on_from(pubsub: str) -> None:
    with World(pubsub, traffic=GOOD) as world:
        changes = 0

        def meddle() -> None:
            nonlocal changes
            changes += 1
            annotations = {**world.service.annotations, "note": f"{changes}"}
            world.run.change(world.path, annotations=annotations)

        # Every other time, just before the third or the fourth call: after the rollout has read, or as it writes.
        calls = itertools.cycle((3, 0, 4, 0))

        def arm() -> None:
            if nth := next(calls):
                world.faults.arm(nth, meddle)

        world.clock.on_sleep = arm
        end = world.roll_out()
        assert isinstance(end, Finished)
        assert end.outcome == "promoted"
        assert changes > 2
        assert world.service.annotations["note"] == f"{changes}"
        assert any("again: " in line for line in world.said)


def test_an_incidents_rollback_in_the_middle_stands(pubsub: str) -> None:
    with World(pubsub, traffic=GOOD) as world:

        def roll_back() -> None:
            if any(each.percent == 10 for each in world.service.traffic):
                world.run.change(world.path, traffic=[target(OLD, 100), target(NEW, 0, "candidate")])

        world.clock.on_sleep = roll_back
        end = world.roll_out()
        assert isinstance(end, Finished)
        assert "took the traffic" in end.reason
        assert world.state() == ROLLED_BACK


def test_a_person_ends_it_and_the_build_says_so(pubsub: str) -> None:
    with World(pubsub, traffic=GOOD) as world:

        def promote() -> None:
            if any(each.percent == 10 for each in world.service.traffic):
                world.end("promoted")

        world.clock.on_sleep = promote
        end = world.roll_out()
        assert end == Finished("promoted", "by hand, by ann@desk")
        assert world.state() == PROMOTED
        assert isinstance(world.end("promoted"), Refuse)


def test_the_first_revision_ever_is_rolled_out_straight(pubsub: str) -> None:
    with World(pubsub, baseline=False) as world:
        end = world.roll_out()
        assert isinstance(end, Finished)
        assert end.outcome == "promoted"
        assert world.state()["traffic"] == [(NEW, 100, "")]


def test_an_outage_is_waited_out_but_not_for_ever(pubsub: str) -> None:
    with World(pubsub, traffic=GOOD) as world:
        world.run.fail("GetService", *[grpc.StatusCode.RESOURCE_EXHAUSTED] * 3)
        assert isinstance(world.roll_out(), Finished)
        world.run.fail("GetService", *[grpc.StatusCode.RESOURCE_EXHAUSTED] * 30)
        with pytest.raises(TransientError, match=f"can't read {SERVICE}"):
            world.roll_out()


def test_a_note_of_a_rollout_under_way_is_there_from_the_first_change_on(pubsub: str) -> None:
    with World(pubsub, traffic=GOOD) as world:
        world.roll_out()
        first, *_, last = world.run.updates
        assert set(first.update_mask.paths) == {"annotations", "traffic", "scaling", "template"}
        assert first.service.template.containers[0].image == IMAGE
        assert UNDER_WAY in first.service.annotations
        assert UNDER_WAY not in last.service.annotations
