"""What the worker counts, for `GET /metrics` and for whoever metrics are sent to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily

from jobs.metrics import JobMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["WorkerMetrics"]


class WorkerMetrics(JobMetrics):
    """Besides jobs: pushes, what is here and waits, and the GPU's memory."""

    def __init__(self) -> None:
        super().__init__()
        self._refused = Counter("cutout_pushes_refused", "Pushes refused, by code", ["code"], registry=self.registry)
        self._in_flight = Gauge("cutout_jobs_in_flight", "Jobs being worked on", registry=self.registry)
        self._queue = Gauge("cutout_network_queue", "Photos that wait for the network", registry=self.registry)

    def refused(self, code: str) -> None:
        self._refused.labels(code).inc()

    def watch(self, *, in_flight: Callable[[], float], queue: Callable[[], float]) -> None:
        """Gauges that are read when somebody asks."""
        self._in_flight.set_function(in_flight)
        self._queue.set_function(queue)

    def watch_gpu(self, memory: Callable[[], tuple[int, int]]) -> None:
        """Bytes of the GPU that are free, and all that it has, read when somebody asks."""
        self.registry.register(_GpuMemory(memory))

    def exposition(self) -> bytes:
        """The Prometheus text format, version 0.0.4."""
        return generate_latest(self.registry)


class _GpuMemory:
    """A Prometheus collector. A device that can't be asked any more has no numbers."""

    def __init__(self, memory: Callable[[], tuple[int, int]]) -> None:
        self._memory = memory

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily("cutout_gpu_memory_bytes", "Bytes of the GPU by use", labels=["use"])
        try:
            free, total = self._memory()
        except RuntimeError:  # what torch raises for a broken device, of which /health tells
            pass
        else:
            family.add_metric(["free"], free)
            family.add_metric(["used"], total - free)
        yield family
