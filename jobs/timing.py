"""Stage timings of one job."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Stopwatch"]


class Stopwatch:
    """Seconds by stage, added up where a stage runs more than once."""

    def __init__(self, *, monotonic: Callable[[], float] = time.perf_counter) -> None:
        self._monotonic = monotonic
        self._seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = self._monotonic()
        try:
            yield
        finally:
            self.add(name, self._monotonic() - started)

    def add(self, name: str, seconds: float) -> None:
        self._seconds[name] = self._seconds.get(name, 0.0) + max(0.0, seconds)

    @property
    def seconds(self) -> dict[str, float]:
        return {name: round(value, 6) for name, value in self._seconds.items()}
