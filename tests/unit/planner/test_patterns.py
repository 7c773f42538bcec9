from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from planner.intents import DEFAULT_STAGES, STAGES
from planner.patterns import PATTERNS, START, ZONE, arrivals_from, visits


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_the_same_for_the_same_seed(pattern: str) -> None:
    first = arrivals_from(pattern, 28, seed=7)
    assert first == arrivals_from(pattern, 28, seed=7) == sorted(first)
    assert pattern == "empty_shop" or first != arrivals_from(pattern, 28, seed=8)
    assert all(START <= moment < START + timedelta(days=28) for moment in first)


def test_one_an_hour_is_one_in_each_hour() -> None:
    hours = Counter((moment - START) // timedelta(hours=1) for moment in arrivals_from("one_an_hour", 7))
    assert hours == Counter(range(168))


def test_office_hours_are_those_of_working_days_in_new_york() -> None:
    moments = [moment.astimezone(ZONE) for moment in arrivals_from("office_hours", 14)]
    inside = [moment for moment in moments if moment.weekday() < 5 and 9 <= moment.hour < 17]
    assert len(inside) == pytest.approx(10 * 8 * 15, rel=0.1)
    assert len(moments) - len(inside) < 50


def test_a_flash_sale_is_most_of_its_week() -> None:
    moments = [moment.astimezone(ZONE) for moment in arrivals_from("flash_sale", 7)]
    sale = [moment for moment in moments if moment.weekday() == 3 and 12 <= moment.hour < 14]
    assert len(sale) == pytest.approx(480, rel=0.1)
    assert len(sale) > 0.7 * len(moments)


def test_visits_end_as_often_at_each_stage_as_its_likelihood_says() -> None:
    uploads = arrivals_from("office_hours", 14)
    shop = visits(uploads)
    reached = Counter(stage for visit in shop for _, stage in visit.stages)
    for stage in STAGES:
        assert len(uploads) / reached[stage] == pytest.approx(DEFAULT_STAGES[stage].likelihood, rel=0.1)


def test_every_upload_ends_a_visit_through_all_stages_in_their_order() -> None:
    for visit in visits(arrivals_from("one_an_hour", 2)):
        moments = [at for at, _ in visit.stages]
        assert moments == sorted(moments)
        if visit.uploaded is not None:
            assert tuple(stage for _, stage in visit.stages) == STAGES
            assert moments[-1] <= visit.uploaded
