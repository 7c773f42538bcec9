"""The telemetry of one process, as its settings want it. What is off costs no import and no thread."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

    from cloud.telemetry.push import MetricsPush
    from cloud.telemetry.settings import TelemetrySettings
    from cloud.telemetry.spans import Spans
    from cloud.telemetry.tracing import OtelTracer

__all__ = ["Telemetry"]


class Telemetry:
    """`tracer` is None where traces are off. Nothing here raises, or waits longer than it is told to.

    functions-framework builds a function in one process and calls it in another, forked from the first: threads that
    send are started by `begin`, where the work is done.
    """

    def __init__(self, settings: TelemetrySettings) -> None:
        self._settings = settings
        self._spans = None if settings.traces == "off" else self._make_spans()
        self._registry: CollectorRegistry | None = None
        self._push: MetricsPush | None = None
        self._began_in: int | None = None
        self._beginning = threading.Lock()

    @property
    def tracer(self) -> OtelTracer | None:
        return None if self._spans is None else self._spans.tracer

    @property
    def measures(self) -> bool:
        """Whether somebody wants the numbers."""
        return self._settings.metrics != "off"

    def watch(self, registry: CollectorRegistry) -> None:
        """Send the numbers of `registry` once work begins, if somebody wants them."""
        self._registry = registry if self.measures else None

    def begin(self) -> None:
        """Called before every piece of work; only the first time in a process something is to do."""
        if self._began_in == os.getpid():
            return
        with self._beginning:
            if self._began_in == os.getpid():
                return
            if self._spans is not None:
                self._spans.begin()
            if self._registry is not None:
                self._push = self._start_push(self._registry)
            self._began_in = os.getpid()

    def flush(self) -> None:
        """Wait until the spans are sent, as long as the settings allow: Cloud Run may take the CPU away after that."""
        if self._spans is not None and self._settings.flush:
            self._spans.flush(self._settings.flush)

    def close(self, seconds: float) -> None:
        """Send what is here, and return at the latest after so many seconds."""
        if self._began_in != os.getpid():
            return
        deadline = time.monotonic() + seconds
        if self._push is not None:
            self._push.stop()
        if self._spans is not None:
            self._spans.close(seconds)
        if self._push is not None:
            self._push.wait(max(0.0, deadline - time.monotonic()))

    def _start_push(self, registry: CollectorRegistry) -> MetricsPush:
        from cloud.telemetry.failures import Failures  # noqa: PLC0415
        from cloud.telemetry.push import MetricsPush  # noqa: PLC0415

        def make() -> Callable[[int, int], bool]:
            from cloud.telemetry.exporters import metric_sender, quiet_libraries  # noqa: PLC0415

            quiet_libraries()
            return metric_sender(self._settings, registry)

        return MetricsPush(make, Failures("metrics"), interval=self._settings.interval)

    def _make_spans(self) -> Spans:
        from cloud.telemetry.exporters import quiet_libraries, resource, span_exporter  # noqa: PLC0415
        from cloud.telemetry.failures import Failures  # noqa: PLC0415
        from cloud.telemetry.spans import Spans  # noqa: PLC0415

        quiet_libraries()
        settings = self._settings
        return Spans(
            lambda: span_exporter(settings),
            Failures("traces"),
            resource(settings),
            ratio=settings.sample_ratio,
        )
