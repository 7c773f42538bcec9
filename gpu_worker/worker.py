"""The started worker: does jobs, tells how it is."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from events.errors import CutoutError

if TYPE_CHECKING:
    from events.envelope import Event
    from events.messages import JobRequested
    from gpu_worker.mattes import NetworkMattes
    from jobs.activity import Activity
    from jobs.places import Buckets
    from jobs.ports import ObjectStore
    from jobs.processing import Processor

__all__ = ["Worker"]

_STORAGE_PROBE: Final = "~health"


class Worker:
    def __init__(
        self,
        mattes: NetworkMattes,
        processor: Processor,
        activity: Activity,
        store: ObjectStore,
        buckets: Buckets,
        phases: dict[str, float],
    ) -> None:
        self._mattes = mattes
        self._processor = processor
        self._activity = activity
        self._store = store
        self._buckets = buckets
        self._phases = phases

    @property
    def healthy(self) -> bool:
        return self._mattes.healthy

    @property
    def waiting(self) -> int:
        return self._mattes.waiting

    def process(self, event: Event[JobRequested], *, attempt: int) -> None:
        """Return once everything about the job is durable and told; raise to have it delivered again."""
        self._activity.note(job=True)
        self._processor.process(event, attempt=attempt)

    def note_activity(self) -> None:
        self._activity.note()

    def report(self) -> dict[str, object]:
        """What `GET /health` says. Storage that can't be reached is told, but restarting this process won't mend it."""
        engine = self._mattes.engine
        return {
            "status": "ok" if self.healthy else "unhealthy",
            "network": engine.name,
            "model": engine.model,
            "device": engine.device,
            "largest_batch": engine.largest_batch,
            "waiting": self.waiting,
            "storage": self._storage(),
            "free_memory_bytes": os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            "cold_start_seconds": self._phases,
        }

    def close(self) -> None:
        self._mattes.close()

    def _storage(self) -> str:
        started = time.perf_counter()
        try:
            self._store.stat(self._buckets.jobs, _STORAGE_PROBE)
        except CutoutError as error:
            return f"unreachable: {error.message}"
        return f"ok, {1000 * (time.perf_counter() - started):.0f} ms"
