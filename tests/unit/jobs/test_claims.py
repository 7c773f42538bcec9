from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from events.errors import TransientError
from jobs.claims import Claims
from tests.fakes import FakeStore, Faults, SettableClock

BUCKET = "j-cutout"


def claims(store: FakeStore, clock: SettableClock) -> Claims:
    return Claims(store, BUCKET, clock, lease=timedelta(seconds=60))


def test_a_second_claim_is_refused_until_the_first_is_given_back() -> None:
    store, clock = FakeStore(), SettableClock()
    with claims(store, clock).hold("a"):
        with pytest.raises(TransientError, match="another process is at a"), claims(store, clock).hold("a"):
            pytest.fail("held twice")
        with claims(store, clock).hold("b"):
            pass
    with claims(store, clock).hold("a"):
        pass
    assert store.names(BUCKET) == ()


def test_a_failure_gives_the_claim_back() -> None:
    store, clock = FakeStore(), SettableClock()
    with pytest.raises(ZeroDivisionError), claims(store, clock).hold("a"):
        raise ZeroDivisionError
    with claims(store, clock).hold("a"):
        pass


def test_the_claim_of_a_dead_process_ends_and_is_cleared_away() -> None:
    store, clock = FakeStore(), SettableClock()
    dead = claims(store, clock).hold("a")
    dead.__enter__()
    clock.advance(60)
    with pytest.raises(TransientError), claims(store, clock).hold("a"):
        pytest.fail("held twice")
    clock.advance(1)
    with claims(store, clock).hold("a"):
        assert len(store.names(BUCKET)) == 1


def test_a_process_that_outlives_its_claim_takes_nobody_elses_away() -> None:
    store, clock = FakeStore(), SettableClock()
    slow = claims(store, clock).hold("a")
    slow.__enter__()
    clock.advance(61)
    with claims(store, clock).hold("a"):
        slow.__exit__(None, None, None)
        with pytest.raises(TransientError), claims(store, clock).hold("a"):
            pytest.fail("held twice")


def test_of_two_that_claim_in_the_same_moment_never_both_hold() -> None:
    """The second writes its claim between the first one's claim and its look around: both see both."""
    faults = Faults()
    store, clock = FakeStore(faults), SettableClock()
    second = claims(store, clock).hold("a")

    def intrude() -> None:
        with pytest.raises(TransientError):
            second.__enter__()

    faults.arm(1, intrude, after=True)
    with claims(store, clock).hold("a"):
        assert len(store.names(BUCKET)) == 1


def test_many_threads_never_hold_one_claim_at_once() -> None:
    store, clock = FakeStore(), SettableClock()
    inside = threading.Semaphore(1)
    held: list[int] = []

    def try_often() -> None:
        for _ in range(200):
            try:
                with claims(store, clock).hold("a"):
                    assert inside.acquire(blocking=False), "held twice"
                    held.append(1)
                    inside.release()
            except TransientError:
                continue

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(try_often) for _ in range(8)]:
            done.result(30)
    assert held
    assert store.names(BUCKET) == ()
