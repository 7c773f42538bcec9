"""Sixty small photos through the worker's app, in a process that does nothing else and gives free memory back at once.

Storage and Pub/Sub are in memory, and forget each photo once it is done. Prints the process's resident bytes after
every ten photos, while nothing is in flight. With the argument `leak` every matte is kept, as by a worker that leaks.
"""

from __future__ import annotations

import base64
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from bench.children import resident_bytes
from bench.service import push
from events.ids import new_job_id
from events.messages import Upload
from events.names import upload_name
from gpu_worker.app import WorkerApp
from gpu_worker.metrics import WorkerMetrics
from gpu_worker.settings import Settings
from gpu_worker.start import assemble
from local.instant_worker import InstantEngine
from tests.fakes import FakePublisher, FakeStore
from tests.unit.gpu_worker.client import serving
from tests.waiting import until

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpu_worker.engines import Engine
    from gpu_worker.worker import Worker
    from tests.unit.gpu_worker.client import Client

_PHOTOS: Final = 60
_GROUP: Final = 10
_BUCKETS: Final = ("uploads", "mattes", "results", "jobs")
_SETTINGS: Final = Settings.from_env(
    {
        "PROJECT": "cutout-test",
        "REGION": "local",
        **{f"{bucket.upper()}_BUCKET": bucket for bucket in _BUCKETS},
        "CONTENT_SECRET": base64.b64encode(bytes(32)).decode(),
        "DEVICE": "cpu",
    }
)


class LeakyEngine(InstantEngine):
    """Never forgets a matte."""

    def __init__(self) -> None:
        super().__init__()
        self._mattes: list[NDArray[np.uint8]] = []

    def finish(self, matte: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
        self._mattes.append(super().finish(matte, width, height))
        return self._mattes[-1]


class World:
    """The app over a storage that forgets."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store = FakeStore()
        self._publisher = FakePublisher()
        self._metrics = WorkerMetrics()
        self.app = WorkerApp(
            self._start,
            verifier=None,
            metrics=self._metrics,
            concurrency=_SETTINGS.concurrency,
            max_pending=_SETTINGS.max_pending,
            on_start_failure=lambda: None,
        )

    def _start(self) -> Worker:
        return assemble(_SETTINGS, self._engine, self._store, self._publisher, self._metrics, phases={})

    def cut(self, client: Client, number: int) -> None:
        """One photo from its upload to its results."""
        photo = _photo(number)
        name = upload_name("shop", new_job_id(datetime.now(UTC)))
        stat = self._store.put("uploads", name, photo)
        upload = Upload(bucket="uploads", name=name, generation=stat.generation)
        assert client.post("/jobs", json=push(upload, photo)).status_code == 204
        assert self._publisher.on("results")

    def forget(self) -> None:
        for bucket in _BUCKETS:
            for name in self._store.names(bucket):
                self._store.delete(bucket, name)
        self._publisher.messages.clear()
        for port in (self._store, self._publisher):
            port.faults.operations.clear()


def _photo(number: int) -> bytes:
    """From 0.06 to 0.4 megapixels, in three formats, no two alike."""
    random = np.random.default_rng(number)
    side = 240 + 40 * (number % 11)
    noise = random.integers(0, 255, (side // 8, side // 8, 3), dtype=np.uint8)
    encoded, file = cv2.imencode((".jpg", ".png", ".webp")[number % 3], cv2.resize(noise, (side, side)))
    assert encoded
    return file.tobytes()


def main() -> None:
    world = World(LeakyEngine() if "leak" in sys.argv else InstantEngine())
    with serving(world.app.asgi()) as client, ThreadPoolExecutor(_SETTINGS.concurrency) as threads:
        until(lambda: client.get("/health").status_code == 200)
        for first in range(0, _PHOTOS, _GROUP):
            numbers = range(first, first + _GROUP)
            list(threads.map(lambda number: world.cut(client, number), numbers))
            world.forget()
            print(resident_bytes(os.getpid()), flush=True)


if __name__ == "__main__":
    main()
