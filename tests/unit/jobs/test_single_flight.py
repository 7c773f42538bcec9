from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from jobs.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable


def together(flight: SingleFlight[int], work: Callable[[], int], joined: threading.Semaphore) -> list[Future[int]]:
    """A leader that is held up until two followers wait for it."""
    working, go_on = threading.Event(), threading.Event()

    def held() -> int:
        working.set()
        assert go_on.wait(5)
        return work()

    def never() -> int:
        raise AssertionError("a follower worked")

    with ThreadPoolExecutor(3) as threads:
        callers = [threads.submit(flight.do, "key", held)]
        assert working.wait(5)
        callers += [threads.submit(flight.do, "key", never) for _ in range(2)]
        for _ in range(2):
            assert joined.acquire(timeout=5)
        go_on.set()
    return callers


def test_callers_that_come_meanwhile_share_the_result(joined: threading.Semaphore) -> None:
    assert [caller.result() for caller in together(SingleFlight(), lambda: 7, joined)] == [7, 7, 7]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_callers_that_come_meanwhile_share_the_failure(joined: threading.Semaphore, error: BaseException) -> None:
    def fail() -> int:
        raise error

    callers = together(SingleFlight(), fail, joined)
    assert [caller.exception() for caller in callers] == [error] * 3


def test_the_next_caller_after_a_failure_works_anew() -> None:
    flight: SingleFlight[int] = SingleFlight()
    with pytest.raises(ZeroDivisionError):
        flight.do("key", lambda: 1 // 0)
    assert flight.do("key", lambda: 2) == 2


def test_nothing_is_remembered_once_the_work_is_done() -> None:
    flight: SingleFlight[int] = SingleFlight()
    assert [flight.do("key", lambda value=value: value) for value in (1, 2)] == [1, 2]  # type: ignore[misc]  # bound now


def test_different_keys_do_not_wait_for_each_other() -> None:
    flight: SingleFlight[int] = SingleFlight()
    both = threading.Barrier(2)

    def work() -> int:
        return both.wait(5)

    with ThreadPoolExecutor(2) as threads:
        assert {caller.result(5) for caller in [threads.submit(flight.do, key, work) for key in "ab"]} == {0, 1}


def test_a_flight_may_start_another_of_another_key() -> None:
    flight: SingleFlight[int] = SingleFlight()
    assert flight.do("outer", lambda: flight.do("inner", lambda: 3) + 1) == 4
