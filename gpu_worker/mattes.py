"""The matte source that computes: the engine behind the batcher, its start, and its health."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from events.errors import TransientError
from gpu_worker.batcher import Batcher
from imaging.photo import for_network
from jobs.processing import ComputedMatte
from jobs.telemetry import UNTRACED

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from events.messages import JobRequested
    from gpu_worker.batcher import BatchResult
    from gpu_worker.engines import Engine
    from jobs.ports import Clock, Span, Tracer
    from jobs.processing import Pixels
    from jobs.timing import Stopwatch

__all__ = ["NetworkMattes", "NetworkUnhealthyError"]

_LOG: Final = logging.getLogger(__name__)


class NetworkUnhealthyError(TransientError):
    """The network failed on a photo and then on a blank one too: this process must be replaced."""

    code = "network_unhealthy"


class NetworkMattes:
    """Thread-safe. `warm_up` must have returned before the first `compute`."""

    def __init__(self, engine: Engine, clock: Clock, *, window: float = 0.1, tracer: Tracer = UNTRACED) -> None:
        self._engine = engine
        self._clock = clock
        self._batcher = Batcher(engine.infer, largest=engine.largest_batch, window=window, tracer=tracer)
        self._probe = engine.probe()
        self._ready_at: datetime | None = None
        self._unhealthy = threading.Event()

    @property
    def model(self) -> str:
        return self._engine.model

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def healthy(self) -> bool:
        return not self._unhealthy.is_set()

    @property
    def waiting(self) -> int:
        """Photos that wait for the network."""
        return self._batcher.waiting

    def warm_up(self) -> float:
        """One pass through the network; returns its seconds. From then on a job no longer waits for a start."""
        started = time.perf_counter()
        self._batcher.submit(self._probe, alone=True)
        self._ready_at = self._clock()
        return time.perf_counter() - started

    def cold_start(self, job: JobRequested) -> bool:
        """Whether the photo was there before the network was ready."""
        return self._ready_at is None or job.requested_at < self._ready_at

    def compute(self, pixels: Pixels, job: JobRequested, *, alone: bool, watch: Stopwatch) -> ComputedMatte:
        with watch.stage("decode"):
            view = pixels.reduced(self._engine.side)
        with self._batcher.announced() as ticket:
            with watch.stage("prepare"):
                value = self._engine.prepare(for_network(view))
            with watch.stage("network") as span:
                matte, batch_size = self._infer(value, job, alone=alone, ticket=ticket, span=span)
        with watch.stage("decode"):
            photo = pixels.whole()
        with watch.stage("upsample"):
            alpha = self._engine.finish(matte, photo.width, photo.height)
        return ComputedMatte(alpha, batch_size)

    def close(self) -> None:
        self._batcher.close()

    def _infer(
        self, value: NDArray[np.float32], job: JobRequested, *, alone: bool, ticket: object, span: Span
    ) -> BatchResult:
        try:
            return self._batcher.submit(value, alone=alone, ticket=ticket, span=span)
        except Exception as error:
            _LOG.exception("network_failed", extra={"job_id": job.job_id})
            self._check_health()
            raise TransientError(f"the network failed on this photo: {error}") from error

    def _check_health(self) -> None:
        """A photo may be poison; a blank one that fails as well means a broken device."""
        try:
            self._batcher.submit(self._probe, alone=True)
        except Exception as error:
            self._unhealthy.set()
            raise NetworkUnhealthyError("the network fails on every photo") from error
