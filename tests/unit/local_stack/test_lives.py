from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from local.lives import Life, WorkerLives, seconds_by_hour

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DAY_BEFORE = datetime.now(UTC).replace(microsecond=0) - 24 * HOUR


def test_a_life_is_divided_among_its_hours() -> None:
    life = Life(NOON - 10 * MINUTE, NOON + HOUR + 5 * MINUTE)
    assert seconds_by_hour([life], NOON - 5 * HOUR, NOON + 5 * HOUR) == {
        NOON - HOUR: 600,
        NOON: 3600,
        NOON + HOUR: 300,
    }


def test_lives_in_one_hour_add_up() -> None:
    lives = [Life(NOON, NOON + MINUTE), Life(NOON + 30 * MINUTE, NOON + HOUR)]
    assert seconds_by_hour(lives, NOON, NOON + HOUR) == {NOON: 60 + 1800}


def test_hours_that_were_not_asked_for_are_left_out() -> None:
    life = Life(NOON - 3 * HOUR, NOON + 3 * HOUR)
    assert list(seconds_by_hour([life], NOON - HOUR, NOON + HOUR)) == [NOON - HOUR, NOON]
    assert seconds_by_hour([life], NOON + 4 * HOUR, NOON + 5 * HOUR) == {}


def test_a_life_goes_on_as_long_as_its_process_does(tmp_path: Path) -> None:
    running = True
    lives = WorkerLives(tmp_path)
    lives.begin(NOON, lambda: running)
    assert signs_of_life(tmp_path, lives) == 1
    assert signs_of_life(tmp_path, lives) == 1
    running = False
    assert signs_of_life(tmp_path, lives) == 0
    running = True  # another process with the same answer is another life
    assert signs_of_life(tmp_path, lives) == 0


def signs_of_life(folder: Path, lives: WorkerLives) -> int:
    """How many there are in one look, after a day without."""
    for path in folder.iterdir():
        os.utime(path, (DAY_BEFORE.timestamp(), DAY_BEFORE.timestamp()))
    lives.look()
    return sum(life.end > DAY_BEFORE for life in lives.known())


def test_lives_are_known_to_the_next_stack(tmp_path: Path) -> None:
    with WorkerLives(tmp_path) as lives:
        lives.begin(NOON, lambda: True)
        lives.begin(NOON + HOUR, lambda: True)
        lives.look()
    known = WorkerLives(tmp_path).known()
    assert known == lives.known()
    assert [life.start for life in known] == [NOON, NOON + HOUR]
