"""From the state of a service to the next step."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from alerts.ports import Revision as AlertsRevision
from alerts.ports import RunService
from alerts.ports import Target as AlertsTarget
from alerts.revisions import ROLLED_BACK_FROM, ROLLED_BACK_TO, Leave, StepBack, step_back
from events.errors import PermanentError
from rollout.decision import Verdict
from rollout.plan import (
    CANDIDATE,
    HEARTBEAT,
    Apply,
    Finished,
    Order,
    Refuse,
    Smoke,
    SmokeReport,
    Wait,
    Watch,
    end_by_hand,
    next_step,
)
from rollout.preview import preview
from rollout.record import UNDER_WAY, ended, under_way
from rollout.service import Revision, Service, Target
from tests.unit.rollout.cloud_run import IMAGE, NOW, OLD_IMAGE, ORDER, URL, apply, service

if TYPE_CHECKING:
    from datetime import datetime

    from rollout.service import Change

PASSED = SmokeReport("new", passed=True, text="20 jobs done", jobs=20)
FAILED = SmokeReport("new", passed=False, text="a job failed")
GOOD = Verdict("promote", "no worse")
BAD = Verdict("roll_back", "it fails")


def stepped(
    state: Service, order: Order = ORDER, *, tested: SmokeReport | None = None, verdict: Verdict | None = None
) -> Apply:
    """The next step, which must be a change."""
    step = next_step(state, order, NOW, tested=tested, verdict=verdict)
    assert isinstance(step, Apply), step
    return step


def begun(state: Service | None = None) -> Service:
    state = state or service()
    return apply(state, stepped(state).change)


def tagged(state: Service | None = None) -> Service:
    state = begun(state)
    return apply(state, stepped(state).change)


def watched(state: Service | None = None) -> Service:
    state = tagged(state)
    return apply(state, stepped(state, tested=PASSED).change)


def beating(state: Service, now: datetime, order: Order = ORDER) -> Service:
    """After the heartbeat that is due at `now`."""
    step = next_step(state, order, now)
    assert isinstance(step, Apply), step
    assert step.change.traffic is None
    return apply(state, step.change)


def incident(state: Service) -> StepBack | Leave:
    """What `on_alert` would do about the service."""
    return step_back(
        RunService(
            state.name,
            state.etag,
            tuple(AlertsTarget(each.revision, each.percent, each.tag) for each in state.traffic),
            state.annotations,
            state.limit,
            state.limit_of_revision,
        ),
        [AlertsRevision(each.name, each.created_at, bool(each.ready)) for each in state.revisions],
    )


def with_an_older_one(state: Service) -> Service:
    older = Revision("older", NOW - timedelta(days=9), True, OLD_IMAGE)
    return state._replace(revisions=(*state.revisions, older))


def test_a_revision_is_made_beside_the_old_one_which_keeps_all_traffic() -> None:
    step = stepped(service(Target("old", 100, "stable", latest=True), Target("old", 0, "preview")))
    assert step.change.image == IMAGE
    assert step.change.traffic == (
        Target("old", 100),
        Target("old", 0, "stable", latest=True),
        Target("old", 0, "preview"),
    )
    record = under_way(step.change.annotations)
    assert record is not None
    assert (record.holder, record.baseline, record.id) == ("build-1", "old", step.change.rollout)


@pytest.mark.parametrize(
    ("limit", "of_revision", "quota", "meanwhile"),
    [
        *[(0, 3, 3, 2), (3, 100, 3, 2), (0, 100, 8, 7), (0, 0, 3, 2), (1, 3, 3, None), (2, 3, 3, None)],
        *[(0, 1, 3, None), (0, 1, 2, None), (0, 2, 3, 2), (0, 2, 4, None), (4, 2, 3, 2), (4, 2, 4, None)],
    ],
)
def test_while_two_revisions_run_the_limit_leaves_a_gpu_for_the_new_one(
    limit: int, of_revision: int, quota: int, meanwhile: int | None
) -> None:
    state = service(limit=limit, limit_of_revision=of_revision)
    change = stepped(state, replace(ORDER, quota=quota)).change
    assert change.limit == meanwhile
    whole, each = change.limit or limit or quota, of_revision or quota
    assert min(whole + 1, 2 * each) <= quota, "the old one's, and one of the tagged one, which the limit leaves out"


def test_the_new_revision_gets_a_tag_then_jobs_then_a_tenth_of_the_traffic() -> None:
    state = begun()
    assert [target.percent for target in state.traffic] == [100]
    state = apply(state, stepped(state).change)
    assert state.traffic == (Target("old", 100), Target("new", 0, CANDIDATE, url=URL))
    step = next_step(state, ORDER, NOW)
    assert isinstance(step, Smoke)
    assert (step.revision.name, step.url) == ("new", URL)
    state = apply(state, stepped(state, tested=PASSED).change)
    assert state.traffic == (Target("old", 90), Target("new", 10, CANDIDATE, url=URL))
    assert next_step(state, ORDER, NOW) == Watch("new", "old", NOW + timedelta(minutes=1), NOW, 20)


def test_the_canary_is_compared_without_the_smoke_test_before_it() -> None:
    state, later = tagged(), NOW + timedelta(minutes=4)
    step = next_step(state, ORDER, later, tested=PASSED)
    assert isinstance(step, Apply)
    watching = next_step(apply(state, step.change), ORDER, later)
    assert isinstance(watching, Watch)
    assert watching.since > later == watching.begun


def test_a_good_revision_gets_everything_and_nothing_is_left() -> None:
    before = service(Target("old", 100), Target("old", 0, "stable"), annotations={"owner": "shop"})
    step = stepped(watched(before), verdict=GOOD)
    after = apply(watched(before), step.change)
    assert step.ends
    assert after.traffic == (Target("new", 100), Target("old", 0, "stable", url=URL))
    assert (after.limit, under_way(after.annotations)) == (0, None)
    assert after.annotations["owner"] == "shop"
    assert next_step(after, ORDER, NOW) == Finished("promoted", "no worse")


def test_a_bad_revision_gets_nothing_and_no_incident_ever_rolls_back_to_it() -> None:
    after = apply(watched(), stepped(watched(), verdict=BAD).change)
    assert after.traffic == (Target("old", 100),)
    assert after.limit == 0
    assert after.annotations[ROLLED_BACK_FROM] == "new"
    assert after.annotations[ROLLED_BACK_TO] == "old"
    assert next_step(after, ORDER, NOW) == Finished("rolled_back", "it fails")

    newer = Revision("newer", NOW + timedelta(days=1), True, IMAGE)
    stepped_back = incident(after._replace(traffic=(Target("newer", 100),), revisions=(newer, *after.revisions)))
    assert isinstance(stepped_back, StepBack)
    assert stepped_back.target == "old"


@pytest.mark.parametrize(
    "state",
    [
        begun(),
        tagged(),
        apply(tagged(), stepped(tagged(), tested=FAILED).change),
        apply(watched(), stepped(watched(), verdict=BAD).change),
    ],
    ids=["begun", "tagged", "back from the smoke test", "back from the canary"],
)
def test_an_alert_about_the_new_revision_leaves_the_old_one_alone(state: Service) -> None:
    assert isinstance(incident(with_an_older_one(state)), Leave)


def test_what_a_person_undid_of_an_incidents_rollback_is_noted_when_the_rollout_ends() -> None:
    state = watched()
    undone = state._replace(
        traffic=(Target("old", 100), Target("new", 0, CANDIDATE, url=URL)),
        annotations={**state.annotations, ROLLED_BACK_TO: "older", ROLLED_BACK_FROM: "old"},
    )
    after = apply(undone, stepped(undone).change)
    assert after.annotations[ROLLED_BACK_TO] == "old"
    assert isinstance(incident(with_an_older_one(after)), Leave)


@pytest.mark.parametrize("state", [watched(), apply(watched(), stepped(watched(), verdict=GOOD).change)])
def test_an_alert_goes_back_from_a_canary_and_from_what_was_promoted(state: Service) -> None:
    stepped_back = incident(with_an_older_one(state))
    assert isinstance(stepped_back, StepBack)
    assert (stepped_back.source, stepped_back.target) == ("new", "old")


@pytest.mark.parametrize("state", [begun(), tagged(), watched()], ids=["begun", "tagged", "watched"])
def test_a_setting_that_is_changed_meanwhile_makes_no_other_candidate(state: Service) -> None:
    record = under_way(state.annotations)
    assert record is not None
    configured = Revision("configured", NOW + timedelta(minutes=1), True, IMAGE, record.id)
    meddled = state._replace(revisions=(configured, *state.revisions))
    expected, step = (next_step(each, ORDER, NOW, tested=PASSED, verdict=GOOD) for each in (state, meddled))
    assert step == expected

    back = apply(meddled, _rolled_back(meddled._replace(traffic=(Target("old", 90), Target("configured", 10)))))
    assert back.traffic == (Target("old", 100),)
    assert back.annotations[ROLLED_BACK_FROM] == "new,configured"


def _rolled_back(state: Service) -> Change:
    step = end_by_hand(state, NOW, "rolled_back", "ann")
    assert isinstance(step, Apply)
    return step.change


def test_a_failed_smoke_test_goes_back_without_any_traffic_given() -> None:
    step = stepped(tagged(), tested=FAILED)
    assert "a job failed" in step.text
    assert apply(tagged(), step.change).traffic == (Target("old", 100),)


def test_a_smoke_test_of_another_revision_proves_nothing() -> None:
    assert isinstance(next_step(tagged(), ORDER, NOW, tested=PASSED._replace(revision="older")), Smoke)


def test_straight_leaves_out_the_canary_and_not_the_smoke_test() -> None:
    straight = replace(ORDER, straight=True)
    assert isinstance(next_step(tagged(), straight, NOW), Smoke)
    assert stepped(tagged(), straight, tested=PASSED).change.traffic == (Target("new", 100),)


def test_a_revision_that_does_not_start_is_taken_back() -> None:
    state = apply(service(), stepped(service()).change, starts=False)
    step = stepped(state)
    assert "it crashed" in step.text
    assert apply(state, step.change).traffic == (Target("old", 100),)


def test_a_revision_that_starts_is_waited_for_but_not_for_ever() -> None:
    state = apply(service(), stepped(service()).change, starts=None)
    assert isinstance(next_step(state, ORDER, NOW), Wait)
    late = NOW + HEARTBEAT * 5
    beating = next_step(state, ORDER, late)
    assert isinstance(beating, Apply)
    step = next_step(apply(state, beating.change), ORDER, late)
    assert isinstance(step, Apply)
    assert "not ready in time" in step.text


@pytest.mark.parametrize("state", [begun(), tagged(), watched()])
def test_a_change_that_has_not_taken_effect_is_waited_for(state: Service) -> None:
    assert isinstance(next_step(state._replace(settled=False), ORDER, NOW), Wait)


def test_a_url_that_is_not_there_yet_is_waited_for() -> None:
    state = tagged()
    nameless = tuple(target._replace(url="") for target in state.traffic)
    assert isinstance(next_step(state._replace(traffic=nameless), ORDER, NOW), Wait)


def test_a_change_that_never_takes_effect_ends_the_rollout() -> None:
    state = watched()._replace(settled=False)
    for minutes in (5, 10, 15, 20):
        now = NOW + timedelta(minutes=minutes)
        state = beating(state, now)
        assert isinstance(next_step(state, ORDER, now), Wait)
    step = next_step(state, ORDER, now + timedelta(minutes=1))
    assert isinstance(step, Apply)
    assert "did not take effect" in step.text
    assert apply(state, step.change).traffic == (Target("old", 100),)


def test_a_change_late_in_a_long_canary_has_its_whole_time() -> None:
    later = NOW + timedelta(minutes=40)
    state = beating(watched(), later)._replace(settled=False)
    assert isinstance(next_step(state, ORDER, later + timedelta(minutes=4)), Wait)


def test_a_url_that_never_comes_ends_the_rollout() -> None:
    state = tagged()
    state = state._replace(traffic=tuple(target._replace(url="") for target in state.traffic))
    late = NOW + ORDER.start_within + timedelta(minutes=1)
    step = next_step(beating(state, late)._replace(traffic=state.traffic), ORDER, late)
    assert isinstance(step, Apply)
    assert "had no URL" in step.text


def test_an_old_revision_that_is_not_ready_right_now_keeps_its_traffic_until_the_new_one_is_tested() -> None:
    assert begun(service(Target("old", 100), ready=False)).traffic == (Target("old", 100),)


def test_an_old_revision_of_which_nothing_is_known_is_waited_for() -> None:
    assert isinstance(next_step(service(Target("old", 100), ready=None), ORDER, NOW), Wait)


def test_the_first_revision_gets_all_traffic_at_once_and_is_tested_then() -> None:
    state = begun(service(Target("", 100, latest=True), ready=False))
    assert state.traffic == (Target("", 100, latest=True),)
    state = apply(state, stepped(state).change)
    assert state.traffic == (Target("new", 100), Target("new", 0, CANDIDATE, url=URL))
    after = apply(state, stepped(state, tested=PASSED).change)
    assert after.traffic == (Target("new", 100),)
    failed = apply(state, stepped(state, tested=FAILED).change)
    assert failed.traffic == (Target("new", 100),)
    assert next_step(failed, ORDER, NOW) == Finished("rolled_back", "the smoke test failed: a job failed")


def test_an_image_that_serves_already_is_left_alone() -> None:
    assert isinstance(next_step(service(), replace(ORDER, image=OLD_IMAGE), NOW), Finished)


def test_a_newer_configuration_of_the_same_image_is_rolled_out() -> None:
    newer = Revision("configured", NOW, True, OLD_IMAGE)
    state = service(Target("old", 100))
    step = next_step(state._replace(revisions=(newer, *state.revisions)), replace(ORDER, image=OLD_IMAGE), NOW)
    assert isinstance(step, Apply)
    assert step.change.image == OLD_IMAGE


def test_a_second_build_is_refused_and_told_of_the_first() -> None:
    step = next_step(watched(), replace(ORDER, holder="build-2"), NOW + timedelta(minutes=4))
    assert isinstance(step, Refuse)
    assert "build-1" in step.reason
    assert "4 min ago" in step.reason


def test_a_rollout_whose_holder_is_silent_is_taken_over() -> None:
    order, now = replace(ORDER, holder="build-2"), NOW + ORDER.stale
    taking = next_step(watched(), order, now)
    assert isinstance(taking, Apply)
    state = apply(watched(), taking.change)
    assert isinstance(next_step(state, order, now), Watch)
    assert isinstance(next_step(state, ORDER, now), Refuse)


def test_one_of_another_image_is_ended_first() -> None:
    order, now = Order(image="worker@sha256:" + "2" * 64, holder="build-2"), NOW + ORDER.stale
    step = next_step(watched(), order, now)
    assert isinstance(step, Apply)
    state = apply(watched(), step.change)
    assert state.traffic == (Target("old", 100),)
    beginning = next_step(state, order, now)
    assert isinstance(beginning, Apply)
    assert beginning.change.image == order.image


def test_whoever_works_on_it_says_so_now_and_then() -> None:
    step = next_step(watched(), ORDER, NOW + HEARTBEAT)
    assert isinstance(step, Apply)
    assert (step.change.traffic, step.change.limit, step.change.image) == (None, None, None)
    record = under_way(step.change.annotations)
    assert record is not None
    assert record.seen_at == NOW + HEARTBEAT


def test_an_incidents_rollback_meanwhile_ends_the_rollout_and_stands() -> None:
    state = watched()
    after_alert = state._replace(
        traffic=(Target("older", 100), Target("new", 0, CANDIDATE, url=URL)),
        annotations={**state.annotations, ROLLED_BACK_TO: "older", ROLLED_BACK_FROM: "old"},
    )
    step = stepped(after_alert, verdict=GOOD)
    after = apply(after_alert, step.change)
    assert after.traffic == (Target("older", 100),)
    assert after.annotations[ROLLED_BACK_TO] == "older"
    assert after.annotations[ROLLED_BACK_FROM] == "old,new"


def test_a_candidate_whose_traffic_was_taken_is_not_promoted() -> None:
    state = watched()._replace(traffic=(Target("old", 100), Target("new", 0, CANDIDATE, url=URL)))
    step = stepped(state, verdict=GOOD)
    assert "took the traffic of new away" in step.text


def test_a_limit_that_was_lowered_meanwhile_stays() -> None:
    state = watched()._replace(limit=1)
    assert apply(state, stepped(state, verdict=GOOD).change).limit == 1
    assert apply(watched(service(limit=3)), stepped(watched(service(limit=3)), verdict=GOOD).change).limit == 3


def test_traffic_that_is_split_already_is_not_touched() -> None:
    step = next_step(service(Target("old", 50), Target("older", 50)), ORDER, NOW)
    assert isinstance(step, Refuse)
    assert "old and older" in step.reason


def test_two_revisions_need_two_gpus() -> None:
    assert isinstance(next_step(service(), replace(ORDER, quota=1), NOW), Refuse)


def test_what_was_rolled_back_is_tried_again_only_if_told_so() -> None:
    state = apply(watched(), stepped(watched(), verdict=BAD).change)
    assert isinstance(next_step(state, ORDER, NOW), Finished)
    assert isinstance(next_step(state, replace(ORDER, again=True), NOW), Apply)
    assert isinstance(next_step(state, replace(ORDER, holder="build-2"), NOW), Apply)


def test_what_was_promoted_and_lost_its_traffic_is_not_called_promoted() -> None:
    state = apply(watched(), stepped(watched(), verdict=GOOD).change)
    end = next_step(state._replace(traffic=(Target("old", 100),)), ORDER, NOW)
    assert isinstance(end, Finished)
    assert end.outcome == "rolled_back"


def test_a_person_ends_anybodys_rollout() -> None:
    promoting = end_by_hand(watched(), NOW, "promoted", "ann")
    assert isinstance(promoting, Apply)
    assert apply(watched(), promoting.change).traffic == (Target("new", 100),)
    taking = end_by_hand(tagged(), NOW, "rolled_back", "ann")
    assert isinstance(taking, Apply)
    last = ended(taking.change.annotations)
    assert last is not None
    assert (last.holder, last.reason) == ("build-1", "by hand, by ann")
    assert isinstance(end_by_hand(service(), NOW, "promoted", "ann"), Refuse)
    starting = apply(service(), stepped(service()).change, starts=None)
    assert isinstance(end_by_hand(starting, NOW, "promoted", "ann"), Refuse)


def test_a_note_that_nobody_wrote_stops_everything() -> None:
    with pytest.raises(PermanentError, match="remove it by hand"):
        next_step(service(annotations={UNDER_WAY: "yes"}), ORDER, NOW)


def test_a_preview_tells_every_step_that_is_left() -> None:
    lines = list(preview(service(), ORDER, NOW))
    assert [line.split(":")[0] for line in lines] == [
        "would change gpu-worker",
        "would change gpu-worker",
        "would push jobs to the URL of its tag",
        "would change gpu-worker",
        "would watch the new revision beside old",
        "would change gpu-worker",
        "promoted",
    ]
    assert len(list(preview(watched(), ORDER, NOW))) == 3
    assert next(preview(watched(), replace(ORDER, holder="build-2"), NOW)).startswith("refused")


def test_a_preview_of_the_same_again_ends() -> None:
    state = apply(watched(), stepped(watched(), verdict=BAD).change)
    lines = list(itertools.islice(preview(state, replace(ORDER, again=True), NOW), 20))
    assert lines[-1].startswith("promoted")
    assert len(lines) == 7


def test_a_preview_ends_where_only_time_can_tell() -> None:
    stuck = begun()._replace(revisions=service().revisions)
    assert list(preview(stuck, ORDER, NOW)) == ["would wait: the new revision starts"]
