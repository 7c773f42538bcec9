"""How many photos are sent to the network together."""

from __future__ import annotations

from gpu_worker.batch_limit import BatchLimit


class Clock:
    """Seconds that stand still until somebody moves them."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_it_is_the_engines_most_at_first() -> None:
    assert BatchLimit(8, Clock()).now() == 8


def test_after_a_batch_that_was_too_large_it_is_half_of_that_for_a_minute() -> None:
    clock = Clock()
    limit = BatchLimit(8, clock)
    limit.exceeded(6)
    assert limit.now() == 3
    clock.seconds += 59
    assert limit.now() == 3
    clock.seconds += 1
    assert limit.now() == 8


def test_halves_that_are_too_large_again_make_it_smaller() -> None:
    limit = BatchLimit(8, Clock())
    for photos in (8, 4, 2):
        limit.exceeded(photos)
    assert limit.now() == 1


def test_one_photo_is_always_let_through() -> None:
    limit = BatchLimit(1, Clock())
    limit.exceeded(1)
    assert limit.now() == 1
