from __future__ import annotations

import pytest

from jobs.activity import Activity
from tests.fakes import FakeStore, SettableClock
from tests.unit.scene import BUCKETS


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def activity(store: FakeStore, clock: SettableClock) -> Activity:
    return Activity(store, BUCKETS.jobs, clock)


def test_no_worker_is_awake_before_one_was(activity: Activity) -> None:
    assert not activity.recent()


@pytest.mark.parametrize(("minutes", "awake"), [(0, True), (9, True), (10, True), (11, False), (24 * 60, False)])
def test_a_worker_counts_as_awake_for_ten_minutes(
    activity: Activity, clock: SettableClock, minutes: int, *, awake: bool
) -> None:
    activity.note()
    clock.advance(60 * minutes)
    assert activity.recent() is awake


def test_a_busy_minute_is_noted_once(activity: Activity, store: FakeStore, clock: SettableClock) -> None:
    for _ in range(5):
        activity.note()
        clock.advance(10)
    assert len([name for name in store.faults.operations if name.startswith("create")]) == 1
    clock.advance(10)
    activity.note()
    assert store.names(BUCKETS.jobs) == ("~activity/2026-11-23T12:00", "~activity/2026-11-23T12:01")


def test_two_workers_may_note_the_same_minute(activity: Activity, store: FakeStore, clock: SettableClock) -> None:
    activity.note()
    Activity(store, BUCKETS.jobs, clock).note()
    assert len(store.names(BUCKETS.jobs)) == 1
