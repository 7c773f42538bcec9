from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from events.errors import PermanentError, TransientError
from jobs.rates import DailyRates
from planner.rates import History, HourCount, Prior
from tests.fakes import FakeStore, SettableClock
from tests.unit.scene import BUCKETS
from tests.unit.warming.shop import Past

ZONE = "America/New_York"
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)


def rates(store: FakeStore, past: Past, zone: str = ZONE) -> DailyRates:
    """As a fresh process has them."""
    return DailyRates(store, BUCKETS.jobs, past, Prior(), zone)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def past() -> Past:
    """Eight jobs in every hour of the last week."""
    past = Past()
    hours = [MIDNIGHT - timedelta(hours=1 + index) for index in range(168)]
    past.history = History(since=hours[-1], until=MIDNIGHT, counts=tuple(HourCount(hour, 8) for hour in hours))
    return past


def test_the_past_is_asked_once_a_day_whoever_asks(store: FakeStore, past: Past, clock: SettableClock) -> None:
    for _ in range(3):
        told = rates(store, past).at(clock())
        assert told.at(clock()) > 6
    assert past.asked == 1
    one = rates(store, past)
    for _ in range(3):
        one.at(clock())
        clock.advance(12 * 3600)
    assert past.asked == 2


def test_a_past_that_cannot_be_asked_leaves_the_prior(store: FakeStore, past: Past, clock: SettableClock) -> None:
    for error in (TransientError("BigQuery is away"), PermanentError("wrong SQL")):
        past.error = error
        assert rates(store, past).at(clock()).at(clock()) == pytest.approx(Prior().jobs_per_hour)
    assert store.names(BUCKETS.jobs) == ()


def test_or_yesterdays_rates(store: FakeStore, past: Past, clock: SettableClock) -> None:
    known = rates(store, past).at(clock())
    past.error = TransientError("BigQuery is away")
    clock.advance(24 * 3600)
    assert rates(store, past).at(clock()) == known


def test_it_is_asked_again_after_ten_minutes(store: FakeStore, past: Past, clock: SettableClock) -> None:
    one = rates(store, past)
    past.error = TransientError("BigQuery is away")
    one.at(clock())
    clock.advance(599)
    one.at(clock())
    assert past.asked == 1
    past.error = None
    clock.advance(1)
    assert one.at(clock()).at(clock()) > 6


def test_rates_of_another_time_zone_are_learned_anew(store: FakeStore, past: Past, clock: SettableClock) -> None:
    rates(store, past).at(clock())
    assert rates(store, past, "Europe/Berlin").at(clock()).zone == "Europe/Berlin"
    assert past.asked == 2
