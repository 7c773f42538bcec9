from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from jobs.flags import Flags
from tests.fakes import FakeStore, SettableClock

BUCKET = "j-cutout"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_a_flag_is_up_until_its_time() -> None:
    store, clock = FakeStore(), SettableClock(NOON)
    flags = Flags(store, BUCKET, clock)
    assert flags.up_until("warming-paused") is None
    flags.put_up("warming-paused", until=NOON + timedelta(hours=1), by="x")
    assert flags.up_until("warming-paused") == NOON + timedelta(hours=1)
    clock.advance(3599)
    assert flags.up_until("warming-paused") is not None
    clock.advance(2)
    assert flags.up_until("warming-paused") is None


def test_the_longest_of_several_counts() -> None:
    store, clock = FakeStore(), SettableClock(NOON)
    flags = Flags(store, BUCKET, clock)
    for hours in (2, 30, 1):
        flags.put_up("warming-paused", until=NOON + timedelta(hours=hours), by="x")
    assert flags.up_until("warming-paused") == NOON + timedelta(hours=30)


def test_any_time_zone_means_the_same_moment() -> None:
    flags = Flags(FakeStore(), BUCKET, SettableClock(NOON))
    eastern = timezone(timedelta(hours=-5))
    flags.put_up("warming-paused", until=datetime(2026, 11, 23, 8, 0, tzinfo=eastern), by="x")
    assert flags.up_until("warming-paused") == NOON + timedelta(hours=1)


def test_putting_up_a_flag_again_is_no_error() -> None:
    store = FakeStore()
    flags = Flags(store, BUCKET, SettableClock(NOON))
    for _ in range(2):
        flags.put_up("warming-paused", until=NOON + timedelta(hours=1), by="x")
    assert store.names(BUCKET) == ("~flags/warming-paused/2026-11-23T13:00:00Z~x",)
