from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.ports import Revision, Target
from alerts.revisions import ROLLED_BACK_FROM, ROLLED_BACK_TO, Leave, StepBack, cap, step_back
from tests.unit.alerts.office import BORN, service_with


def known(*ready: bool) -> list[Revision]:
    """r1, r2, ..., each a day younger."""
    return [Revision(f"r{n}", BORN + timedelta(days=n), ready=good) for n, good in enumerate(ready, start=1)]


def step(*traffic: Target, revisions: list[Revision], annotations: dict[str, str] | None = None) -> StepBack:
    decided = step_back(service_with(traffic, annotations), revisions)
    assert isinstance(decided, StepBack), decided
    return decided


def left(*traffic: Target, revisions: list[Revision], annotations: dict[str, str] | None = None) -> str:
    decided = step_back(service_with(traffic, annotations), revisions)
    assert isinstance(decided, Leave), decided
    return decided.reason


class TestStepBack:
    def test_goes_to_the_revision_before(self) -> None:
        decided = step(Target("r3", 100), revisions=known(True, True, True))
        assert (decided.source, decided.target) == ("r3", "r2")
        assert decided.traffic == (Target("r2", 100),)
        assert decided.annotations == {ROLLED_BACK_TO: "r2", ROLLED_BACK_FROM: "r3"}

    def test_passes_over_revisions_that_were_never_ready(self) -> None:
        assert step(Target("r3", 100), revisions=known(True, False, True)).target == "r1"

    def test_takes_a_canary_back_to_the_revision_that_still_serves(self) -> None:
        decided = step(Target("r3", 10), Target("r1", 90), revisions=known(True, True, True))
        assert (decided.source, decided.target) == ("r3", "r1")

    def test_is_about_what_serves_not_about_what_was_deployed_last(self) -> None:
        decided = step(Target("r2", 100), Target("r3", 0, "candidate"), revisions=known(True, True, True))
        assert (decided.source, decided.target) == ("r2", "r1")

    def test_keeps_tags_without_traffic(self) -> None:
        decided = step(
            Target("r3", 100, "stable", latest=True),
            Target("r2", 0, "old"),
            revisions=known(True, True, True),
        )
        assert decided.traffic == (
            Target("r2", 100),
            Target("r3", 0, "stable", latest=True),
            Target("r2", 0, "old"),
        )

    def test_keeps_other_annotations(self) -> None:
        decided = step(Target("r2", 100), revisions=known(True, True), annotations={"owner": "shop"})
        assert decided.annotations["owner"] == "shop"

    def test_is_made_once_however_many_incidents_ask_for_it(self) -> None:
        first = step(Target("r3", 100), revisions=known(True, True, True))
        reason = left(*first.traffic, revisions=known(True, True, True), annotations=dict(first.annotations))
        assert reason == "its traffic was rolled back to r2 already, from r3"

    def test_never_ends_at_a_revision_that_was_rolled_back_from(self) -> None:
        first = step(Target("r3", 100), revisions=known(True, True, True))
        second = step(Target("r4", 100), revisions=known(True, True, True, True), annotations=dict(first.annotations))
        assert second.target == "r2"
        assert second.annotations == {ROLLED_BACK_TO: "r2", ROLLED_BACK_FROM: "r3,r4"}

    def test_remembers_the_last_ten(self) -> None:
        many = ",".join(f"old{n}" for n in range(20))
        decided = step(Target("r2", 100), revisions=known(True, True), annotations={ROLLED_BACK_FROM: many})
        assert decided.annotations[ROLLED_BACK_FROM].split(",") == [*(f"old{n}" for n in range(11, 20)), "r2"]

    def test_leaves_the_first_revision_alone(self) -> None:
        assert left(Target("r1", 100), revisions=known(True)) == "there is no healthy revision before r1"

    def test_leaves_a_service_without_traffic_alone(self) -> None:
        assert left(Target("r9", 100), revisions=known(True)) == "no known revision has traffic"

    @given(
        ready=st.lists(st.booleans(), min_size=1, max_size=6),
        percents=st.lists(st.integers(0, 100), min_size=1, max_size=6),
        bad=st.sets(st.integers(1, 6)),
    )
    def test_all_traffic_ends_on_one_healthy_earlier_revision_or_nothing_changes(
        self, ready: list[bool], percents: list[int], bad: set[int]
    ) -> None:
        revisions = known(*ready)
        traffic = [Target(f"r{n}", percent) for n, percent in enumerate(percents, start=1)]
        annotations = {ROLLED_BACK_FROM: ",".join(f"r{n}" for n in bad)}
        decided = step_back(service_with(traffic, annotations), revisions)
        if isinstance(decided, StepBack):
            by_name = {revision.name: revision for revision in revisions}
            assert sum(target.percent for target in decided.traffic) == 100
            assert by_name[decided.target].ready
            assert by_name[decided.target].created_at < by_name[decided.source].created_at
            assert decided.target not in annotations[ROLLED_BACK_FROM].split(",")
            assert isinstance(step_back(service_with(decided.traffic, decided.annotations), revisions), Leave)


class TestCap:
    def test_sets_the_limit_of_a_service_that_has_none(self) -> None:
        assert cap(service_with([]), 1) == 1

    def test_lowers_a_limit(self) -> None:
        assert cap(service_with([], max_instances=3, max_instances_of_revision=5), 2) == 2

    @pytest.mark.parametrize(("service", "revision"), [(1, 0), (2, 9), (0, 2), (9, 1)])
    def test_never_raises_one(self, service: int, revision: int) -> None:
        limited = service_with([], max_instances=service, max_instances_of_revision=revision)
        assert isinstance(cap(limited, 2), Leave)
