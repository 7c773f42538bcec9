"""What becomes of a revision, by what was measured of it and of the old one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollout.decision import Criteria, decide
from rollout.sample import EMPTY, Sample
from tests.unit.rollout.samples import sample

CRITERIA = Criteria()
EARLY, BETWEEN, LATE = timedelta(minutes=2), timedelta(minutes=20), timedelta(minutes=45)
OLD = sample(300, 1)


def test_a_revision_that_is_no_worse_is_promoted_once_it_was_watched_long_enough() -> None:
    assert decide(sample(40), OLD, EARLY, CRITERIA).action == "watch"
    verdict = decide(sample(40), OLD, BETWEEN, CRITERIA)
    assert verdict.action == "promote"
    assert "0 of 40 failed" in verdict.reason
    assert "1 of 300 failed" in verdict.reason


@pytest.mark.parametrize("watched", [EARLY, BETWEEN, LATE])
@pytest.mark.parametrize(("requests", "errors"), [(4, 4), (10, 4), (40, 8), (200, 20)])
def test_failures_beyond_chance_end_it_at_any_time(requests: int, errors: int, watched: timedelta) -> None:
    verdict = decide(sample(requests, errors), OLD, watched, CRITERIA)
    assert verdict.action == "roll_back"
    assert "more failures" in verdict.reason


@pytest.mark.parametrize(("requests", "errors"), [(1, 1), (2, 2), (10, 1), (30, 2)])
def test_a_blip_ends_nothing(requests: int, errors: int) -> None:
    assert decide(sample(requests, errors), OLD, EARLY, CRITERIA).action == "watch"


def test_what_stays_in_doubt_is_not_promoted() -> None:
    doubtful = sample(30, 2)
    assert decide(doubtful, OLD, BETWEEN, CRITERIA).action == "watch"
    verdict = decide(doubtful, OLD, LATE, CRITERIA)
    assert verdict.action == "roll_back"
    assert "in doubt" in verdict.reason


def test_one_failure_of_many_is_no_doubt() -> None:
    assert decide(sample(60, 1), OLD, BETWEEN, CRITERIA).action == "promote"


def test_failures_that_the_old_revision_has_too_are_not_the_new_ones_fault() -> None:
    assert decide(sample(40, 8), sample(400, 80), BETWEEN, CRITERIA).action == "promote"


def test_a_revision_that_is_slower_throughout_is_rolled_back() -> None:
    verdict = decide(sample(40, seconds=4.0), OLD, EARLY, CRITERIA)
    assert verdict.action == "roll_back"
    assert "most took longer" in verdict.reason


def test_a_revision_that_is_a_little_slower_is_fine() -> None:
    assert decide(sample(40, seconds=1.7), OLD, BETWEEN, CRITERIA).action == "promote"


def test_cold_starts_are_expected_where_there_is_little_traffic() -> None:
    assert decide(sample(40, slow=8), OLD, BETWEEN, CRITERIA).action == "promote"


def test_requests_beyond_the_objective_are_not() -> None:
    verdict = decide(sample(40, slow=10, slow_seconds=90), OLD, EARLY, CRITERIA)
    assert verdict.action == "roll_back"
    assert "45.0 s" in verdict.reason


@pytest.mark.parametrize(("requests", "slow"), [(1, 1), (2, 1), (2, 2), (19, 19)])
def test_a_few_slow_requests_end_nothing_since_the_first_one_starts_an_instance(requests: int, slow: int) -> None:
    verdict = decide(sample(requests, slow=slow, slow_seconds=60), OLD, EARLY, CRITERIA)
    assert verdict.action == "watch"


def test_slow_requests_that_stay_few_are_not_promoted() -> None:
    verdict = decide(sample(4, slow=4, slow_seconds=60), OLD, LATE, CRITERIA)
    assert verdict.action == "roll_back"
    assert "in doubt" in verdict.reason


def test_on_a_quiet_night_the_jobs_of_the_smoke_test_are_enough() -> None:
    assert decide(sample(0), EMPTY, BETWEEN, CRITERIA, smoke_jobs=20).action == "promote"
    assert decide(sample(1), OLD, BETWEEN, CRITERIA, smoke_jobs=18).action == "watch"


def test_the_jobs_of_the_smoke_test_excuse_nothing() -> None:
    assert decide(sample(4, 4), OLD, EARLY, CRITERIA, smoke_jobs=20).action == "roll_back"
    assert decide(sample(5, 1), OLD, LATE, CRITERIA, smoke_jobs=20).action == "roll_back"


def test_requests_that_are_turned_away_as_often_as_before_are_no_failures() -> None:
    old = OLD._replace(turned_away=30)
    assert decide(sample(40)._replace(turned_away=5), old, BETWEEN, CRITERIA).action == "promote"


@pytest.mark.parametrize("old", [OLD, EMPTY], ids=["beside a busy one", "beside an idle one"])
def test_a_revision_that_turns_more_away_is_rolled_back(old: Sample) -> None:
    verdict = decide(sample(20)._replace(turned_away=20), old, EARLY, CRITERIA)
    assert verdict.action == "roll_back"
    assert "20 of 40 failed" in verdict.reason


def test_too_few_requests_promote_nothing_before_the_deadline() -> None:
    verdict = decide(sample(5), OLD, BETWEEN, CRITERIA)
    assert verdict.action == "watch"
    assert "5 of 20 requests" in verdict.reason


@pytest.mark.parametrize(
    ("when_quiet", "requests"), [("promote", 0), ("promote", 19), ("roll_back", 0), ("roll_back", 19)]
)
def test_at_the_deadline_of_a_quiet_night_the_setting_decides(when_quiet: str, requests: int) -> None:
    criteria = Criteria(when_quiet="promote" if when_quiet == "promote" else "roll_back")
    verdict = decide(sample(requests), EMPTY, LATE, criteria)
    assert verdict.action == when_quiet
    assert f"only {requests} of 20 requests" in verdict.reason


def test_the_setting_saves_nothing_that_failed() -> None:
    assert decide(sample(5, 2), EMPTY, LATE, Criteria(when_quiet="promote")).action == "roll_back"


def test_without_an_old_revisions_traffic_the_new_one_must_be_good_by_itself() -> None:
    assert decide(sample(20), EMPTY, BETWEEN, CRITERIA).action == "promote"
    assert decide(sample(20, 5), EMPTY, EARLY, CRITERIA).action == "roll_back"
    assert decide(sample(20, seconds=60), EMPTY, EARLY, CRITERIA).action == "roll_back"
