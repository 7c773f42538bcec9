from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.busy import BusyClock

if TYPE_CHECKING:
    from jobs.busy import Share


class Stopped:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Stopped:
    return Stopped()


def test_a_job_alone_has_all_of_the_time(time: Stopped) -> None:
    clock = BusyClock(monotonic=time)
    with clock.share() as share:
        time.now += 3
        assert share.seconds == 3
        time.now += 1
    assert share.seconds == 4


def test_jobs_that_overlap_share_the_overlap_alike(time: Stopped) -> None:
    clock = BusyClock(monotonic=time)
    with clock.share() as first:
        time.now += 2
        with clock.share() as second:
            time.now += 4
        time.now += 1
    assert (first.seconds, second.seconds) == (2 + 2 + 1, 2)


def test_a_share_stands_still_once_its_job_has_ended(time: Stopped) -> None:
    clock = BusyClock(monotonic=time)
    with clock.share() as share:
        time.now += 1
    time.now += 10
    with clock.share():
        time.now += 10
    assert share.seconds == 1


def test_idle_time_is_nobodys(time: Stopped) -> None:
    clock = BusyClock(monotonic=time)
    time.now += 100
    with clock.share() as share:
        time.now += 1
    assert share.seconds == 1


def test_a_job_that_fails_has_its_share_too(time: Stopped) -> None:
    clock = BusyClock(monotonic=time)
    shares: list[Share] = []

    def work() -> None:
        with clock.share() as share:
            shares.append(share)
            time.now += 2
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        work()
    time.now += 2
    assert shares[0].seconds == 2


jobs = st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 1000)), min_size=1, max_size=12)


@given(jobs)
def test_the_shares_add_up_to_the_busy_time(spans: list[tuple[int, int]]) -> None:
    """Whatever starts and ends when: what was shared out is the time in which anything was open."""
    time = Stopped()
    clock = BusyClock(monotonic=time)
    starts = {index: start for index, (start, _) in enumerate(spans)}
    ends = {index: start + length for index, (start, length) in enumerate(spans)}
    open_jobs: dict[int, ExitStack] = {}
    shares: list[Share] = []
    busy = 0
    moments = sorted({*starts.values(), *ends.values()})
    for moment, following in zip(moments, [*moments[1:], moments[-1]], strict=True):
        for index in [index for index in open_jobs if ends[index] == moment]:
            open_jobs.pop(index).close()
        for index in [index for index, start in starts.items() if start == moment]:
            open_jobs[index] = ExitStack()
            shares.append(open_jobs[index].enter_context(clock.share()))
        busy += (following - moment) if open_jobs else 0
        time.now += following - moment
    assert not open_jobs
    assert sum(share.seconds for share in shares) == pytest.approx(busy)
