"""Waiting for what others do, without guessing how long they take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PATIENCE", "until"]

PATIENCE: Final = 120.0
"""Seconds. Only a test that fails waits for as long."""

T = TypeVar("T")


def until(read: Callable[[], T], holds: Callable[[T], object] = bool, *, every: float = 0.01) -> T:
    """What `read` gives as soon as it `holds`; fail with what it gave last once patience is at an end.

    There are `every` seconds between two readings.
    """
    deadline = time.monotonic() + PATIENCE
    while not holds(value := read()):
        assert time.monotonic() < deadline, f"still {value!r}"
        time.sleep(every)
    return value
