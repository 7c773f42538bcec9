from __future__ import annotations

from datetime import timedelta

import pytest

from jobs.intents import Intents
from planner.intents import STAGES
from tests.fakes import Crash, FakeStore, SettableClock
from tests.unit.scene import BUCKETS, SECRET


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def intents(store: FakeStore, clock: SettableClock) -> Intents:
    return Intents(store, BUCKETS.jobs, clock, secret=SECRET)


def test_what_was_shown_is_found_the_newest_first(intents: Intents, clock: SettableClock) -> None:
    start = clock()
    shown = []
    for stage in STAGES:
        shown.append(intents.mark("acme", "session-of-sixteen", stage).intent)
        clock.advance(7)
    assert intents.since(start) == tuple(reversed(shown))
    assert [intent.stage for intent in intents.since(start + timedelta(seconds=14))] == ["file_chosen", "hover"]
    assert [intent.at for intent in shown] == [start + timedelta(seconds=7 * index) for index in range(4)]


def test_of_too_many_the_newest_thousand_are_read(intents: Intents, clock: SettableClock) -> None:
    for number in range(1010):
        intents.mark("acme", f"session-{number}", "page_view")
        clock.advance(0.01)
    found = intents.since(clock() - timedelta(minutes=15))
    assert len(found) == 1000
    assert found[0].at == clock() - timedelta(seconds=0.01)
    assert found[-1].at == clock() - timedelta(seconds=10)


def test_a_session_and_stage_are_new_once(intents: Intents, clock: SettableClock) -> None:
    told = []
    for _ in range(10):
        told.append(intents.mark("acme", "session-of-sixteen", "hover").new)
        clock.advance(300)
    assert told == [True] + [False] * 9
    assert len(intents.since(clock() - timedelta(hours=3))) == 1


def test_whoever_comes_back_hours_later_is_new_again(intents: Intents, clock: SettableClock) -> None:
    intents.mark("acme", "session-of-sixteen", "hover")
    clock.advance(2 * 3600)
    assert intents.mark("acme", "session-of-sixteen", "hover").new


def test_sessions_stages_and_tenants_are_told_apart(intents: Intents, clock: SettableClock) -> None:
    assert intents.mark("acme", "session-of-sixteen", "hover").new
    assert intents.mark("acme", "session-of-sixteen", "file_chosen").new
    assert intents.mark("acme", "another-session-id", "hover").new
    assert intents.mark("globex", "session-of-sixteen", "hover").new
    assert len({intent.session for intent in intents.since(clock())}) == 3


def test_no_name_tells_the_session(intents: Intents, store: FakeStore) -> None:
    intents.mark("acme", "session-of-sixteen", "hover")
    names = store.names(BUCKETS.jobs)
    assert len(names) == 2
    assert all("session" not in name and "acme" not in name for name in names)


def test_an_intent_whose_mark_was_cut_short_is_lost_and_does_no_harm(intents: Intents, store: FakeStore) -> None:
    store.faults.arm(3, Crash())
    with pytest.raises(Crash):
        intents.mark("acme", "session-of-sixteen", "hover")
    assert not intents.mark("acme", "session-of-sixteen", "hover").new
