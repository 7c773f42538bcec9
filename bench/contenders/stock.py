"""transparent-background as its documentation uses it, at its defaults. Arguments: mode, checkpoint."""

from __future__ import annotations

import sys
import time
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from transparent_background import Remover

from bench.contenders.lines import answer

if TYPE_CHECKING:
    from pathlib import Path

    from bench.contenders.lines import Stages


class Stock:
    """A `Cutter`. Two hooks time the network and keep its output; they change nothing."""

    def __init__(self, mode: str, checkpoint: str) -> None:
        self._remover = Remover(mode=mode, ckpt=checkpoint, device="cpu")
        self._entered = 0.0
        self._network_seconds = 0.0
        self._matte: Any = None
        self._remover.model.register_forward_pre_hook(self._enter)
        self._remover.model.register_forward_hook(self._leave)

    def cut(self, photo: bytes, stages: Stages) -> bytes:
        with stages.stage("decode"):
            image = Image.open(BytesIO(photo)).convert("RGB")
        with stages.stage("process"):
            cutout = self._remover.process(image)
        stages.seconds["network"] = self._network_seconds
        file = BytesIO()
        with stages.stage("encode"):
            cutout.save(file, "PNG")
        return file.getvalue()

    def save_matte(self, path: Path) -> None:
        np.save(path, self._matte[0, 0].numpy())

    def _enter(self, *_: object) -> None:
        self._entered = time.perf_counter()

    def _leave(self, _module: object, _inputs: object, output: object) -> None:
        self._network_seconds = time.perf_counter() - self._entered
        self._matte = output


if __name__ == "__main__":
    answer(lambda: Stock(*sys.argv[1:]))
