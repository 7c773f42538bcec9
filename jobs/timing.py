"""Stage timings of one job."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jobs.telemetry import UNTRACED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobs.ports import Span, Tracer

__all__ = ["Stopwatch"]


class Stopwatch:
    """Seconds by stage, added up where a stage runs more than once. Each time is a span, a child of `parent`."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.perf_counter,
        tracer: Tracer = UNTRACED,
        parent: str | None = None,
    ) -> None:
        self._monotonic = monotonic
        self._tracer = tracer
        self._parent = parent
        self._seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[Span]:
        started = self._monotonic()
        try:
            with self._tracer.span(name, parent=self._parent) as span:
                yield span
        finally:
            self.add(name, self._monotonic() - started)

    def add(self, name: str, seconds: float) -> None:
        self._seconds[name] = self._seconds.get(name, 0.0) + max(0.0, seconds)

    @property
    def seconds(self) -> dict[str, float]:
        return {name: round(value, 6) for name, value in self._seconds.items()}
