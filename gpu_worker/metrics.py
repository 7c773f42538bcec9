"""What the worker counts, for `GET /metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from events.messages import ResultCompleted

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.processing import Ended

__all__ = ["WorkerMetrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_BATCH = (1, 2, 4, 8, 16, 32)


class WorkerMetrics:
    """One registry a process, so that tests can have several."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._jobs = Counter("cutout_jobs", "Jobs by outcome", ["outcome"], registry=self._registry)
        self._stages = Histogram(
            "cutout_stage_seconds", "Seconds of a job by stage", ["stage"], buckets=_SECONDS, registry=self._registry
        )
        self._batches = Histogram("cutout_batch_size", "Photos a batch", buckets=_BATCH, registry=self._registry)
        self._cache = Counter("cutout_cache_answers", "Results by cache answer", ["cache"], registry=self._registry)
        self._cold_jobs = Counter("cutout_cold_jobs", "Jobs that waited for a start", registry=self._registry)
        self._start = Gauge(
            "cutout_cold_start_seconds", "Seconds of this start by phase", ["phase"], registry=self._registry
        )
        self._refused = Counter("cutout_pushes_refused", "Pushes refused, by code", ["code"], registry=self._registry)
        self._in_flight = Gauge("cutout_jobs_in_flight", "Jobs being worked on", registry=self._registry)
        self._queue = Gauge("cutout_network_queue", "Photos that wait for the network", registry=self._registry)

    def job_ended(self, ended: Ended) -> None:
        result = ended.result
        if isinstance(result, ResultCompleted):
            self._jobs.labels("completed").inc()
            for one in result.results:
                self._cache.labels(one.cache).inc()
            if result.cold_start:
                self._cold_jobs.inc()
        else:
            self._jobs.labels(result.code).inc()
        for stage, seconds in ended.stages.items():
            self._stages.labels(stage).observe(seconds)
        if ended.batch_size is not None:
            self._batches.observe(ended.batch_size)

    def started(self, phases: dict[str, float]) -> None:
        for phase, seconds in phases.items():
            self._start.labels(phase).set(seconds)

    def refused(self, code: str) -> None:
        self._refused.labels(code).inc()

    def watch(self, *, in_flight: Callable[[], float], queue: Callable[[], float]) -> None:
        """Gauges that are read when somebody asks."""
        self._in_flight.set_function(in_flight)
        self._queue.set_function(queue)

    def exposition(self) -> bytes:
        """The Prometheus text format, version 0.0.4."""
        return generate_latest(self._registry)
