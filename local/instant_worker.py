"""The worker with a network that takes no time: for measuring and testing everything around it.

Not part of any deployable. `python -m local.instant_worker` takes the worker's own settings, and `INSTANT_BATCH` and
`INSTANT_SECONDS` for a network that takes batches, or some time.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from cloud.environment import Environment
from cloud.logs import configure
from gpu_worker.serve import serve
from gpu_worker.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["MODEL", "InstantEngine"]

MODEL: Final = "instant-000000000000-fp32-p1"
_SIDE: Final = 64


class InstantEngine:
    """A disc in the middle of every photo: a matte with an inside, an outside and an edge.

    A batch takes `seconds`, however many photos it has, as on a GPU that is not full.
    """

    name = "instant"
    model = MODEL
    device = "cpu"
    side = 1024

    def __init__(self, *, largest_batch: int = 1, seconds: float = 0.0) -> None:
        self.largest_batch = largest_batch
        self._seconds = seconds
        rows, columns = np.mgrid[0:_SIDE, 0:_SIDE]
        distance = np.hypot(rows - _SIDE / 2, columns - _SIDE / 2)
        self._disc = np.clip(_SIDE / 3 - distance, 0, 1).astype(np.float32)

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The photo's mean: as much of it as this network looks at."""
        return np.asarray(rgb[::64, ::64].mean(), np.float32)

    def probe(self) -> NDArray[np.float32]:
        return np.full((), 127, np.float32)

    def infer(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        time.sleep(self._seconds)
        return [self._disc for _ in inputs]

    def finish(self, matte: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
        full = cv2.resize(matte, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.rint(255 * full).astype(np.uint8)


if __name__ == "__main__":
    settings = Settings.from_env(os.environ)
    configure(settings.log_format, project=settings.project)
    env = Environment(os.environ)
    batch = env.integer("INSTANT_BATCH", default=1, minimum=1, maximum=64)
    duration = env.number("INSTANT_SECONDS", default=0.0, minimum=0)
    env.check()
    serve(settings, lambda: InstantEngine(largest_batch=batch, seconds=duration))
