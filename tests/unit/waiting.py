"""Waiting for other threads without guessing how long they take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["until"]

_DEADLINE: Final = 5.0


def until(condition: Callable[[], bool]) -> None:
    """Return once it holds; fail after five seconds."""
    deadline = time.monotonic() + _DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.001)
