from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from planner.instance import Instance, Observation, Traces, instance_at
from planner.worker import Worker

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
WORKER = Worker()
COLD = Instance(state="cold")


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def minute(minutes_ago: float) -> datetime:
    return ago(minutes_ago).replace(second=0, microsecond=0)


def seen(**traces: datetime | Observation | None) -> Instance:
    return instance_at(NOW, Traces(**traces), WORKER)  # type: ignore[arg-type]  # names and types as in Traces


def test_a_worker_that_left_no_trace_is_cold() -> None:
    assert seen() == COLD


def test_a_worker_is_warm_for_ten_minutes_after_its_last_minute_began() -> None:
    assert seen(awake=minute(4)) == Instance(state="warm", remaining=330)
    assert seen(awake=minute(9)) == Instance(state="warm", remaining=30)
    assert seen(awake=minute(10)) == COLD


def test_a_cold_worker_that_was_asked_is_starting_until_it_shows() -> None:
    assert seen(requested=ago(0.5)).state == "starting"
    assert seen(requested=ago(0.5), awake=minute(60)).state == "starting"


def test_a_start_that_never_shows_is_given_up() -> None:
    assert seen(requested=ago(2)).state == "starting"
    assert seen(requested=ago(2.5)) == COLD


def test_a_started_worker_is_warm_from_the_minute_it_shows() -> None:
    assert seen(requested=ago(2), awake=minute(1)).state == "warm"
    assert seen(requested=ago(2), awake=minute(2)).state == "warm"


def test_a_warm_worker_that_was_asked_to_stay_stays_from_then() -> None:
    assert seen(requested=ago(1), awake=minute(9)) == Instance(state="warm", remaining=540)


@pytest.mark.parametrize("instances", [0, 1])
def test_monitoring_is_not_asked_about_what_came_after_its_last_look(instances: int) -> None:
    observed = Observation(at=ago(3), instances=instances)
    assert seen(awake=minute(2), observed=observed).state == "warm"


def test_an_instance_that_was_taken_away_early_is_cold() -> None:
    assert seen(awake=minute(8), observed=Observation(at=ago(3), instances=0)) == COLD


def test_an_instance_that_left_no_trace_may_be_gone_any_moment() -> None:
    assert seen(observed=Observation(at=ago(2), instances=1)) == Instance(state="warm", remaining=0)
    assert seen(awake=minute(11), observed=Observation(at=ago(2), instances=2)).state == "warm"


def test_an_old_look_says_nothing_of_now() -> None:
    assert seen(observed=Observation(at=ago(11), instances=1)) == COLD
