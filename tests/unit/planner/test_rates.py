from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.rates import History, HourCount, Prior, WeeklyRates, shrunk, weekly_rates

ZONE = "America/New_York"
MONDAY = datetime(2026, 10, 5, 4, 0, tzinfo=UTC)
"""0:00 in New York."""
PRIOR = Prior()
HOUR = timedelta(hours=1)


def history(weeks: int, jobs: dict[int, int]) -> History:
    """The same every week: so many jobs in those hours of the week (local time, without a change of the clocks)."""
    counts = tuple(
        HourCount(MONDAY + week * 168 * HOUR + hour * HOUR, number)
        for week in range(weeks)
        for hour, number in jobs.items()
    )
    return History(since=MONDAY, until=MONDAY + weeks * 168 * HOUR, counts=counts)


def test_a_shop_without_a_past_has_the_priors_rate_at_all_hours() -> None:
    rates = weekly_rates(History(since=MONDAY, until=MONDAY), PRIOR, ZONE)
    assert rates.per_hour == pytest.approx((PRIOR.jobs_per_hour,) * 168)


def test_an_empty_shop_is_expected_to_stay_empty() -> None:
    rates = weekly_rates(history(4, {}), PRIOR, ZONE)
    assert max(rates.per_hour) < 0.01


def test_a_long_past_outweighs_prior_and_neighbours() -> None:
    rates = weekly_rates(history(50, {10: 8}), PRIOR, "Etc/GMT+4")
    assert rates.per_hour[10] == pytest.approx(8, abs=0.4)
    assert rates.per_hour[11] < 0.1


def test_after_one_week_an_hour_is_judged_by_the_same_hour_of_other_working_days() -> None:
    rates = weekly_rates(history(1, {24 * day + 10: 8 for day in range(4)}), PRIOR, ZONE)
    friday, saturday = rates.per_hour[24 * 4 + 10], rates.per_hour[24 * 5 + 10]
    assert friday > 2.5
    assert saturday < 0.3


def test_one_sale_does_not_make_the_other_days_look_busy() -> None:
    rates = weekly_rates(history(1, {24 * 3 + 12: 240}), PRIOR, ZONE)
    assert rates.per_hour[24 * 3 + 12] > 4
    assert rates.per_hour[24 * 4 + 12] < 3


def test_hours_are_those_of_the_shops_time_zone() -> None:
    rates = WeeklyRates(zone=ZONE, per_hour=tuple(float(hour) for hour in range(168)))
    assert rates.at(MONDAY) == 0
    assert rates.at(datetime(2026, 1, 5, 5, 0, tzinfo=UTC)) == 0  # a Monday in winter
    assert rates.at(MONDAY - timedelta(seconds=1)) == 167


def test_both_hours_that_the_clocks_show_twice_count_for_the_one_hour_of_the_week() -> None:
    changed = datetime(2026, 11, 1, 5, 0, tzinfo=UTC)  # 1:00 in New York, and again an hour later
    counts = (HourCount(changed, 6), HourCount(changed + HOUR, 6))
    rates = weekly_rates(History(since=changed, until=changed + 2 * HOUR, counts=counts), PRIOR, ZONE)
    sunday_at_one = 24 * 6 + 1
    assert rates.per_hour[sunday_at_one] == max(rates.per_hour) > 3


def test_the_rate_over_the_turn_of_an_hour_is_that_of_both_parts() -> None:
    rates = WeeklyRates(zone=ZONE, per_hour=(*(0.0 for _ in range(8)), 12.0, *(0.0 for _ in range(159))))
    assert rates.over(MONDAY + timedelta(hours=7, minutes=30), 600) == 0
    assert rates.over(MONDAY + timedelta(hours=7, minutes=57, seconds=30), 600) == pytest.approx(9)
    assert rates.over(MONDAY + timedelta(hours=8), 600) == 12


def test_jobs_outside_the_watched_time_are_left_out() -> None:
    stray = (HourCount(MONDAY - 5 * HOUR, 9), HourCount(MONDAY + 200 * HOUR, 9))
    with_stray = weekly_rates(History(since=MONDAY, until=MONDAY + 168 * HOUR, counts=stray), PRIOR, ZONE)
    assert with_stray == weekly_rates(history(1, {}), PRIOR, ZONE)


@given(st.floats(0, 1000), st.floats(0, 1000), st.floats(0.001, 100), st.floats(0.001, 100))
def test_a_shrunk_rate_lies_between_the_prior_and_what_was_seen(
    jobs: float, hours: float, towards: float, worth: float
) -> None:
    rate = shrunk(jobs, hours, towards=towards, worth=worth)
    seen = jobs / hours if hours else towards
    if hours == 0:
        assert rate >= towards or jobs == 0
    else:
        assert min(seen, towards) * (1 - 1e-9) <= rate <= max(seen, towards) * (1 + 1e-9)
