"""Who works through the photos, and when they stop."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from events.errors import TransientError
from gpu_worker.bulk.crew import Crew, pause
from gpu_worker.mattes import NetworkUnhealthyError
from tests.unit.gpu_worker.bulk.test_manifest import photo
from tests.unit.gpu_worker.bulk.test_report import entry

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from gpu_worker.bulk.manifest import Photo
    from gpu_worker.bulk.report import Entry

PHOTOS = [photo(f"{line}.jpg", line=line) for line in range(1, 101)]


class Work:
    """A crew's work: `fails` may raise instead of settling a photo at an attempt."""

    def __init__(self, fails: Callable[[Photo, int], None] = lambda _photo, _attempt: None, threads: int = 4) -> None:
        self._fails = fails
        self.ended: list[int] = []
        self.attempts: list[tuple[int, int]] = []
        self.told = threading.Event()
        self.crew = Crew(self._settle, lambda entry: self.ended.append(entry.line), threads=threads)

    def run(self) -> list[int]:
        """Lines that are left."""
        left = self.crew.work(PHOTOS, interval=0.005, tell=self._tell, patience=5)
        return sorted(one.line for one in left)

    def _settle(self, one: Photo, attempt: int) -> Entry:
        self.attempts.append((one.line, attempt))
        self._fails(one, attempt)
        return entry(one.line)

    def _tell(self) -> None:
        self.told.set()


def test_every_photo_is_settled_once() -> None:
    work = Work()
    assert work.run() == []
    assert sorted(work.ended) == [one.line for one in PHOTOS]
    assert work.crew.idle
    assert not work.crew.stopping


def test_progress_is_told_while_they_work() -> None:
    def fails(one: Photo, _attempt: int) -> None:
        if one.line == 5:
            assert work.told.wait(10)

    work = Work(fails)
    assert work.run() == []


def test_a_photo_that_failed_is_tried_again_after_all_others() -> None:
    def fails(one: Photo, attempt: int) -> None:
        if one.line % 10 == 0 and attempt == 1:
            raise TransientError("not now")

    work = Work(fails)
    assert work.run() == []
    assert len(work.ended) == len(PHOTOS)
    assert sorted(work.attempts[100:]) == [(line, 2) for line in range(10, 101, 10)]


def test_a_photo_that_failed_twice_is_left_to_another_attempt(caplog: pytest.LogCaptureFixture) -> None:
    def fails(one: Photo, _attempt: int) -> None:
        if one.line == 7:
            raise KeyError("a bug")
        if one.line == 8:
            raise TransientError("not now")

    work = Work(fails)
    with caplog.at_level(logging.WARNING):
        assert work.run() == [7, 8]
    assert len(work.ended) == 98
    told = [record for record in caplog.records if record.message == "photo_not_settled"]
    assert len(told) == 4
    assert sum(record.exc_info is not None for record in told) == 2


def test_failures_without_end_stop_the_task() -> None:
    """Storage is away: the next attempt comes later, and this one must not look at every photo for 30 seconds."""

    def fails(_one: Photo, _attempt: int) -> None:
        raise TransientError("storage is away")

    work = Work(fails)
    assert len(work.run()) < 40
    assert work.crew.stopping
    assert work.ended == []


def test_more_threads_may_have_more_failures_at_once() -> None:
    """Photos in hand fail together: with many threads, 24 of them say little."""

    def fails(one: Photo, attempt: int) -> None:
        if one.line <= 35 and attempt == 1:
            raise TransientError("a bad photo")

    work = Work(fails, threads=12)
    assert work.run() == []
    assert len(work.ended) == len(PHOTOS)


def test_progress_is_told_less_often_as_time_goes_on() -> None:
    assert [pause(10.0, times) for times in (0, 59, 60, 119, 120)] == [10.0, 10.0, 20.0, 20.0, 30.0]


def test_a_broken_network_stops_the_task_at_once() -> None:
    def fails(one: Photo, _attempt: int) -> None:
        if one.line == 3:
            raise NetworkUnhealthyError("the network fails on every photo")

    work = Work(fails, threads=1)
    assert work.run() == [3]
    assert work.ended == [1, 2]


def test_a_crew_that_is_told_to_stop_finishes_what_it_has_in_hand() -> None:
    reached = threading.Event()

    def fails(one: Photo, _attempt: int) -> None:
        if one.line == 5:
            work.crew.stop()
            reached.set()

    work = Work(fails, threads=1)
    assert work.run() == []
    assert reached.is_set()
    assert work.ended == [1, 2, 3, 4, 5]


def test_a_photo_that_takes_too_long_is_not_waited_for() -> None:
    forever = threading.Event()

    def fails(one: Photo, _attempt: int) -> None:
        if one.line == 2:
            work.crew.stop()
            forever.wait(10)

    work = Work(fails, threads=1)
    left = work.crew.work(PHOTOS, interval=0.005, tell=lambda: None, patience=0.01)
    assert left == ()
    assert work.ended == [1]
    assert not work.crew.idle
    forever.set()
