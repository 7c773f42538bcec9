from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.arrivals import Level, forecast

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def ago(*minutes: float) -> list[datetime]:
    return [NOW - timedelta(minutes=each) for each in minutes]


def within_ten_minutes(usual: float, recent: list[datetime]) -> float:
    return 1 - forecast(usual, recent, NOW).survival(600)


def test_without_recent_jobs_a_quiet_shop_stays_at_its_usual_rate_or_below() -> None:
    assert forecast(0.1, [], NOW).per_hour < 0.1
    assert within_ten_minutes(0.1, []) < 0.02


def test_a_holiday_is_noticed_within_the_hour() -> None:
    assert forecast(12.0, [], NOW).per_hour < 12 / 2


def test_a_busier_hour_than_usual_raises_the_forecast() -> None:
    busy = ago(*range(2, 60, 5))
    assert within_ten_minutes(1.0, busy) > 2 * within_ten_minutes(1.0, ago(40))


def test_a_steady_hour_survives_an_ordinary_pause() -> None:
    steady = ago(*range(9, 60, 5))
    assert forecast(1.0, steady, NOW).persistence > 0.4


def test_a_sale_is_believed_over_within_minutes_of_its_last_job() -> None:
    sale = ago(*(9 + minute / 5 for minute in range(250)))
    over = forecast(1.0, sale, NOW)
    assert over.persistence < 1e-6
    assert over.per_hour < 1


def test_a_sale_that_goes_on_is_believed_to() -> None:
    sale = ago(*(minute / 5 for minute in range(250)))
    going_on = forecast(1.0, sale, NOW)
    assert going_on.persistence == pytest.approx(0.8)
    assert going_on.per_hour > 120


def test_jobs_of_more_than_an_hour_ago_and_of_the_future_are_left_out() -> None:
    assert forecast(1.0, ago(60, 61, 500, -1), NOW) == forecast(1.0, [], NOW)


def test_a_level_survives_nothing_and_forgets_its_shape_slowly() -> None:
    level = Level(shape=3.0, hours=1.5)
    assert level.survival(0) == 1
    assert level.per_hour == 2
    assert level.survival(600) == pytest.approx((1 + 1 / 9) ** -3)


@given(
    st.floats(0.0, 500.0),
    st.lists(st.floats(0.0, 59.9), max_size=80),
    st.floats(0.0, 5000.0),
    st.floats(0.0, 5000.0),
)
def test_a_forecasts_survival_falls_from_one_and_never_rises(
    usual: float, minutes: list[float], one: float, other: float
) -> None:
    survival = forecast(usual, ago(*minutes), NOW).survival
    early, late = sorted((one, other))
    assert survival(0) == pytest.approx(1)
    assert 0 <= survival(late) <= survival(early) + 1e-12 <= 1 + 1e-9
