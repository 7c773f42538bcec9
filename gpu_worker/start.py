"""The worker's start: everything heavy that happens after the port is bound."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from cloud.pubsub import GooglePublisher
from cloud.storage import GoogleObjectStore
from gpu_worker.mattes import NetworkMattes
from gpu_worker.worker import Worker
from imaging.foreground import estimate_foreground
from jobs.activity import Activity
from jobs.desk import JobDesk
from jobs.processing import Processor
from jobs.telemetry import UNTRACED

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_worker.engines import Engine
    from gpu_worker.metrics import WorkerMetrics
    from gpu_worker.settings import Settings
    from imaging.render import ForegroundEstimator
    from jobs.ports import ObjectStore, Publisher, Tracer

    Ports = tuple[ObjectStore, Publisher]

__all__ = ["assemble", "foreground_on", "google_ports", "start_worker"]

_LOG: Final = logging.getLogger(__name__)


def google_ports(settings: Settings) -> Ports:
    """The real services, or the emulators that the environment names."""
    return GoogleObjectStore.connect(), GooglePublisher.connect(project=settings.project)


def start_worker(
    settings: Settings,
    load: Callable[[], Engine],
    connect: Callable[[Settings], Ports],
    metrics: WorkerMetrics,
    *,
    phases: dict[str, float],
    tracer: Tracer = UNTRACED,
) -> Worker:
    """Connect, load, warm up. `phases` holds the seconds spent before; all of them are logged and measured."""
    clock = _PhaseClock(phases)
    store, publisher = connect(settings)
    clock.phase("connect")
    engine = load()
    clock.phase("load")
    worker = assemble(settings, engine, store, publisher, metrics, phases=phases, tracer=tracer)
    _LOG.info("worker_ready", extra={"network": engine.name, "model": engine.model, "phases": phases})
    return worker


def assemble(
    settings: Settings,
    engine: Engine,
    store: ObjectStore,
    publisher: Publisher,
    metrics: WorkerMetrics,
    *,
    phases: dict[str, float],
    tracer: Tracer = UNTRACED,
) -> Worker:
    """A warm worker over these ports."""
    desk = JobDesk.over(
        store, publisher, settings.buckets, secret=settings.content_secret, tracer=tracer, measures=metrics
    )
    mattes = NetworkMattes(engine, desk.clock, window=settings.batch_window, tracer=tracer)
    phases["warm_pass"] = round(mattes.warm_up(), 3)
    metrics.started(phases)
    if engine.device == "cuda":
        metrics.watch_gpu(_gpu_memory)
    activity = Activity(store, settings.buckets.jobs, desk.clock)
    activity.note()
    processor = Processor(
        desk,
        mattes,
        billing=settings.billing(),
        source="gpu_worker",
        on_end=metrics.job_ended,
        estimate=foreground_on(engine.device),
    )
    return Worker(mattes, processor, activity, store, settings.buckets, phases)


def foreground_on(device: str) -> ForegroundEstimator:
    """The foreground's colours where the network runs: a GPU has them before its photo is back."""
    if device != "cuda":
        return estimate_foreground
    from gpu_worker.foreground import TorchForeground  # noqa: PLC0415  # torch only where it computes

    return TorchForeground(device)


def _gpu_memory() -> tuple[int, int]:
    """Bytes that are free, by anybody's use, and all that there are."""
    import torch  # noqa: PLC0415  # only where there is a GPU

    return torch.cuda.mem_get_info()


class _PhaseClock:
    """Seconds from one phase's end to the next."""

    def __init__(self, phases: dict[str, float]) -> None:
        self._phases = phases
        self._last = time.monotonic()

    def phase(self, name: str) -> None:
        now = time.monotonic()
        self._phases[name] = round(now - self._last, 3)
        self._last = now
