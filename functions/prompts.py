"""Requests for a decision that come close together share one."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.ports import Clock

__all__ = ["Prompts"]

_PAUSE: Final = timedelta(seconds=2)
"""Little beside the start of a worker, which a decision is about."""


class Prompts:
    """A decision answers every prompt that was sent before it began; the next one comes a pause later at the earliest.

    So however many prompts there are, one process decides about them every other second, and none is forgotten: a
    prompt is sent once what it is about is stored, where the decision looks. Thread-safe.
    """

    def __init__(self, clock: Clock, *, sleep: Callable[[float], object], pause: timedelta = _PAUSE) -> None:
        self._clock = clock
        self._sleep = sleep
        self._pause = pause
        self._lock = threading.Lock()
        self._decided: datetime | None = None

    def answer(self, sent_at: datetime, decide: Callable[[], None]) -> bool:
        """Decide, after a pause where the last time was just now; False if a decision has answered the prompt.

        Raises whatever `decide` raises: it has answered nothing then.
        """
        with self._lock:
            if self._decided is not None:
                if sent_at <= self._decided:
                    return False
                left = self._decided + self._pause - self._clock()
                if left > timedelta(0):
                    self._sleep(min(left, self._pause).total_seconds())
            began = self._clock()
            decide()
            self._decided = began
            return True
