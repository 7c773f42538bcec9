"""What the processes that do or answer jobs count, in a Prometheus registry of their own.

The one place where these numbers are defined. A process with `GET /metrics` shows them there; where metrics are on,
`cloud.telemetry` reads the same registry and sends it on. Labels have few values: no ids, no tenants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily

from events.messages import ResultCompleted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jobs.processing import Ended

__all__ = ["JobMetrics"]

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_USD: Final = (1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0)
_BATCH: Final = (1, 2, 4, 8, 16, 32)
_CIRCUIT: Final = {"closed": 0, "half_open": 1, "open": 2}


class JobMetrics:
    """`jobs.ports.Measures`, and what is known when a job ends. One registry a process, so that tests can have several.

    Thread-safe.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._jobs = self._counter("cutout_jobs", "Jobs by outcome", "outcome")
        self._stages = self._histogram("cutout_stage_seconds", "Seconds of a job by stage", _SECONDS, "stage")
        self._batches = self._histogram("cutout_batch_size", "Photos a batch", _BATCH)
        self._cache = self._counter("cutout_cache_answers", "Results by cache answer", "cache")
        self._cold_jobs = self._counter("cutout_cold_jobs", "Jobs that waited for a start")
        self._start = Gauge(
            "cutout_cold_start_seconds", "Seconds of this start by phase", ["phase"], registry=self.registry
        )
        self._starts = self._counter("cutout_cold_starts", "Starts of this process")
        self._lookups = self._histogram(
            "cutout_cache_lookup_seconds", "Seconds until the cache answered", _SECONDS, "by", "cache"
        )
        self._lookups_failed = self._counter("cutout_cache_errors", "Times the cache could not be asked", "by")
        self._retrieval = self._histogram(
            "cutout_retrieval_seconds", "Seconds from a photo's request to its results", _SECONDS, "cache"
        )
        self._cost = self._histogram("cutout_image_cost_usd", "Cost of a photo's results", _USD, "cache")
        self._warming = self._counter("cutout_warming_decisions", "Decisions on warming", "action", "reason")

    def looked_up(self, by: str, answer: str, seconds: float) -> None:
        self._lookups.labels(by, answer).observe(seconds)

    def lookup_failed(self, by: str) -> None:
        self._lookups_failed.labels(by).inc()

    def retrieved(self, cache: str, seconds: float, usd: float) -> None:
        self._retrieval.labels(cache).observe(seconds)
        self._cost.labels(cache).observe(usd)

    def warming_decided(self, action: str, reason: str) -> None:
        self._warming.labels(action, reason).inc()

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

    def started(self, phases: Mapping[str, float]) -> None:
        """Seconds of the process's start by phase."""
        self._starts.inc()
        for phase, seconds in phases.items():
            self._start.labels(phase).set(seconds)

    def watch_circuits(self, states: Callable[[], Mapping[str, str]]) -> None:
        """The state of each circuit breaker by name, read when somebody asks: closed 0, half open 1, open 2."""
        self.registry.register(_Circuits(states))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)


class _Circuits:
    """A Prometheus collector of gauges whose labels are known only when they are read."""

    def __init__(self, states: Callable[[], Mapping[str, str]]) -> None:
        self._states = states

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "cutout_circuit_state", "Circuit breakers: closed 0, half open 1, open 2", labels=["circuit"]
        )
        for name, state in sorted(self._states().items()):
            family.add_metric([name], _CIRCUIT[state])
        yield family
