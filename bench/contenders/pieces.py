"""The pieces of this project in a row: decode, network, foreground, PNG.

What a job of the worker does besides (storage, records, events, the stored matte) is in none of the peers, and is
measured with the worker's process instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from events.recipe import Recipe
from gpu_worker.engines import load_engine
from gpu_worker.weights import Weights
from imaging.decode import decode
from imaging.photo import for_network
from imaging.render import Renderer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.contenders.lines import Stages
    from gpu_worker.weights import Precision


class Cutout:
    """A `Cutter`."""

    def __init__(self, manifest: str, precision: Precision) -> None:
        weights = Weights.read(Path(manifest))
        self._engine = load_engine(weights, device="cpu", precision=precision, inference_only=True)
        self._matte: NDArray[np.float32] = np.zeros((1, 1), np.float32)

    def cut(self, photo: bytes, stages: Stages) -> bytes:
        with stages.stage("decode"):
            decoded = decode(photo)
        with stages.stage("prepare"):
            value = self._engine.prepare(for_network(decoded))
        with stages.stage("network"):
            [self._matte] = self._engine.infer([value])
        with stages.stage("upsample"):
            alpha = self._engine.finish(self._matte, decoded.width, decoded.height)
        with stages.stage("render"):
            return Renderer(decoded, alpha).render(Recipe()).data

    def save_matte(self, path: Path) -> None:
        np.save(path, self._matte)
