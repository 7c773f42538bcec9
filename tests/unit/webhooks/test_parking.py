from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from events.envelope import Outgoing
from tests.fakes import FakeStore
from tests.unit.scene import BUCKETS
from webhooks.parking import Parking

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def parking(store: FakeStore) -> Parking:
    return Parking(store, BUCKETS.jobs)


def attempt(event_id: str, data: str = "{}") -> Outgoing:
    return Outgoing(topic="deliveries", attributes={"ce-id": event_id}, data=data)


def test_what_is_due_comes_back_letter_for_letter_oldest_first(parking: Parking) -> None:
    parking.park(attempt("b", '{"b": 1}'), NOON + SECOND)
    parking.park(attempt("a"), NOON + 2 * SECOND)
    parking.park(attempt("c"), NOON)
    entries = parking.entries(NOON + 2 * SECOND)
    assert [parking.message(entry) for entry in entries] == [attempt("c"), attempt("b", '{"b": 1}'), attempt("a")]


def test_what_is_not_due_yet_stays(parking: Parking) -> None:
    parking.park(attempt("a"), NOON + timedelta(milliseconds=1))
    assert parking.entries(NOON) == []
    assert len(parking.entries(NOON + timedelta(milliseconds=1))) == 1


def test_zones_do_not_change_the_order(parking: Parking) -> None:
    there = timezone(timedelta(hours=9))
    parking.park(attempt("a"), (NOON + SECOND).astimezone(there))
    parking.park(attempt("b"), NOON)
    assert [entry[-1] for entry in parking.entries((NOON + SECOND).astimezone(there))] == ["b", "a"]


def test_an_attempt_that_is_parked_twice_is_parked_once(parking: Parking, store: FakeStore) -> None:
    assert parking.park(attempt("a"), NOON) == NOON
    assert parking.park(attempt("a", '{"later": 1}'), NOON + SECOND) == NOON
    [entry] = parking.entries(NOON + timedelta(days=1))
    assert parking.message(entry) == attempt("a")
    parking.remove(entry)
    assert store.names(BUCKETS.jobs) == ()


def test_an_entry_whose_message_is_gone_has_been_published(parking: Parking, store: FakeStore) -> None:
    parking.park(attempt("a"), NOON)
    [entry] = parking.entries(NOON)
    [record] = [name for name in store.names(BUCKETS.jobs) if name != entry]
    store.delete(BUCKETS.jobs, record)
    assert parking.message(entry) is None
