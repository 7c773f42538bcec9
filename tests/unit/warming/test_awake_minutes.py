from __future__ import annotations

from datetime import timedelta

import pytest

from jobs.activity import Activity, AwakeMinute
from tests.fakes import FakeStore, SettableClock
from tests.unit.scene import BUCKETS


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def activity(clock: SettableClock) -> Activity:
    return Activity(FakeStore(), BUCKETS.jobs, clock)


def test_minutes_with_a_job_are_told_from_those_without(activity: Activity, clock: SettableClock) -> None:
    noon = clock()
    activity.note()
    activity.note(job=True)
    clock.advance(60)
    activity.note()
    clock.advance(60)
    activity.note(job=True)
    assert activity.minutes(noon) == [
        AwakeMinute(noon, job=False),
        AwakeMinute(noon, job=True),
        AwakeMinute(noon + timedelta(minutes=1), job=False),
        AwakeMinute(noon + timedelta(minutes=2), job=True),
    ]


def test_earlier_minutes_are_left_out(activity: Activity, clock: SettableClock) -> None:
    activity.note(job=True)
    clock.advance(600)
    activity.note(job=True)
    assert [each.minute for each in activity.minutes(clock() - timedelta(minutes=5))] == [clock()]


def test_many_jobs_of_a_minute_are_noted_once(activity: Activity, clock: SettableClock) -> None:
    for _ in range(5):
        activity.note(job=True)
        clock.advance(2)
    assert len(activity.minutes(clock() - timedelta(hours=1))) == 1


def test_a_job_alone_makes_a_worker_count_as_awake(activity: Activity) -> None:
    activity.note(job=True)
    assert activity.recent()
