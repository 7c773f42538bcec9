from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.budget import Spent
from planner.warmups import Warmup, added_seconds, total
from planner.worker import Worker

AT = datetime(2026, 11, 23, 12, 0, 10, tzinfo=UTC)
WORKER = Worker()


def warmup(action: Literal["wake", "extend"], seconds: float) -> Warmup:
    return Warmup(at=AT, action=action, cause="forecast", seconds=seconds, nano_usd=WORKER.nano_usd(seconds))


WAKE = warmup("wake", 620)
EXTENSION = warmup("extend", 560)
"""Of a worker that had 40 s left."""


def minute(minutes: int) -> datetime:
    return AT.replace(second=0) + timedelta(minutes=minutes)


def came_to(one: Warmup, *jobs: int, after: float) -> float | None:
    return added_seconds(one, [minute(each) for each in jobs], AT + timedelta(minutes=after), WORKER)


def test_what_a_wake_came_to_is_open_until_a_job_comes_or_its_time_is_over() -> None:
    assert came_to(WAKE, after=5) is None
    assert came_to(WAKE, after=10.5) is None


def test_a_wake_for_nobody_came_to_all_of_it() -> None:
    assert came_to(WAKE, after=12) == 620


def test_a_job_during_the_start_makes_a_wake_cost_no_more_than_that_minute() -> None:
    assert came_to(WAKE, 0, after=1) == 30  # 12:01:00 is 30 s after the start's end


def test_a_later_job_makes_a_wake_cost_the_time_before_it() -> None:
    assert came_to(WAKE, 5, after=7) == 330
    assert came_to(WAKE, 5, 7, after=9) == 330


def test_a_job_after_the_wakes_end_is_another_instances() -> None:
    assert came_to(WAKE, 11, after=13) == 620


def test_an_extension_costs_nothing_if_a_job_came_before_the_old_end() -> None:
    assert came_to(warmup("extend", 400), 1, after=2) == 0


def test_a_job_in_the_minute_of_an_extension_may_have_come_before_it() -> None:
    assert came_to(EXTENSION, 0, after=2) is None
    assert came_to(EXTENSION, 0, after=12) == 560


def test_an_extension_costs_the_time_past_the_old_end() -> None:
    assert came_to(EXTENSION, 4, after=6) == 250


@given(
    st.sampled_from([WAKE, EXTENSION, warmup("extend", 0.5)]),
    st.lists(st.integers(-20, 20), max_size=5),
    st.floats(0, 30),
)
def test_it_never_comes_to_more_than_was_reserved(one: Warmup, jobs: list[int], after: float) -> None:
    seconds = came_to(one, *jobs, after=after)
    assert seconds is None or 0 <= seconds <= one.seconds


def test_amounts_add_up_and_those_of_intents_besides() -> None:
    assert total([("forecast", 5), ("intents", 7), ("schedule", 1)]) == Spent(nano_usd=13, intents_nano_usd=7)
    assert total([]) == Spent()


def test_a_wake_is_billed_a_quarter_of_a_dollar() -> None:
    assert WAKE.nano_usd == pytest.approx(244_714_000, abs=100_000)
