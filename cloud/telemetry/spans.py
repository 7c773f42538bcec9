"""Spans on their way out: a bounded queue, a thread that sends, and waits that end."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from cloud.telemetry.exporters import GuardedSpanExporter
from cloud.telemetry.tracing import FirstOfOursDecides, OtelTracer

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import SpanExporter

    from cloud.telemetry.failures import Failures

__all__ = ["Spans"]

_MOST_WAITING: Final = 2048
_MOST_AT_ONCE: Final = 512
_DELAY_MILLIS: Final = 1000.0


class Spans:
    """A full queue loses its oldest spans. The SDK's own flush takes as long as the exporter does; these don't."""

    def __init__(
        self, exporter: Callable[[], SpanExporter], failures: Failures, resource: Resource, *, ratio: float
    ) -> None:
        self._failures = failures
        self._provider = TracerProvider(sampler=FirstOfOursDecides(ratio), resource=resource, shutdown_on_exit=False)
        self._processor = BatchSpanProcessor(
            GuardedSpanExporter(exporter, failures),
            max_queue_size=_MOST_WAITING,
            max_export_batch_size=_MOST_AT_ONCE,
            schedule_delay_millis=_DELAY_MILLIS,
        )
        self._provider.add_span_processor(self._processor)
        self._flushing = threading.Lock()
        self._errands = _Errands()
        self.tracer = OtelTracer(self._provider)

    def begin(self) -> None:
        """Start what waits in others' place, in this process; the SDK sees to its own thread after a fork."""
        self._errands.start()

    def flush(self, seconds: float) -> None:
        """Wait until what is here was sent, at most so long; not at all while sending fails, or somebody waits."""
        if self._failures.last_failed or not self._flushing.acquire(blocking=False):
            return
        self._errands.run(self._flush, seconds)

    def close(self, seconds: float) -> None:
        """Send what is here, but return at the latest after so many seconds; at once while sending fails."""
        self._errands.run(self._provider.shutdown, 0 if self._failures.last_failed else seconds)

    def _flush(self) -> None:
        try:
            self._processor.force_flush()
        finally:
            self._flushing.release()


class _Errands:
    """A thread that waits in others' place. It is started early: an interpreter that ends gives no new threads."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[tuple[Callable[[], object], threading.Event]] = SimpleQueue()

    def start(self) -> None:
        threading.Thread(target=self._loop, name="telemetry", daemon=True).start()

    def run(self, work: Callable[[], object], seconds: float) -> None:
        """Return when the work is done, or after so many seconds."""
        done = threading.Event()
        self._asked.put((work, done))
        done.wait(seconds)

    def _loop(self) -> None:
        while True:
            work, done = self._asked.get()
            with suppress(Exception):  # telemetry never fails a job
                work()
            done.set()
