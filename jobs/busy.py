"""How the time of one instance is shared by the jobs that overlap on it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BusyClock", "Share"]


class Share:
    """One job's part of the instance's busy seconds, so far."""

    __slots__ = ("_clock", "_seconds")

    def __init__(self, clock: BusyClock) -> None:
        self._clock = clock
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        self._clock.settle()
        return self._seconds

    def accrue(self, seconds: float) -> None:
        self._seconds += seconds


class BusyClock:
    """Each second in which n jobs are open gives each of them 1/n: the shares add up to the busy time exactly.

    An instance is billed for its life, whatever runs on it, so this is what makes per-job costs add up to the bill.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._open: list[Share] = []
        self._last = monotonic()

    @contextmanager
    def share(self) -> Iterator[Share]:
        own = Share(self)
        with self._lock:
            self._accrue()
            self._open.append(own)
        try:
            yield own
        finally:
            with self._lock:
                self._accrue()
                self._open.remove(own)

    def settle(self) -> None:
        """Bring every open share up to now."""
        with self._lock:
            self._accrue()

    def _accrue(self) -> None:
        now = self._monotonic()
        if self._open:
            part = (now - self._last) / len(self._open)
            for share in self._open:
                share.accrue(part)
        self._last = now
