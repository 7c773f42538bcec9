"""What an `OnnxModel` declares, whatever runs its graph: names and shapes, and the way from its output to an alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from gpu_worker.weights import WeightsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from gpu_worker.engines.models import OnnxModel
    from gpu_worker.weights import Weights

__all__ = ["alpha_of", "demand_declared", "matte_of"]


def demand_declared(weights: Weights, model: OnnxModel, found: Mapping[str, Sequence[int]]) -> None:
    """Raise `WeightsError` unless the graph's inputs and outputs, shapes by name, have the declared ones."""
    side = model.preprocessing.side
    for name, shape in {model.input: [1, 3, side, side], model.output: [1, 1, side, side]}.items():
        if found.get(name) != shape:
            raise WeightsError(f"{weights.path}: {name!r} is {found.get(name)}, not {shape}", path=str(weights.path))


def matte_of(model: OnnxModel, output: NDArray[np.float32]) -> NDArray[np.float32]:
    """(side, side) finite -> (side, side) in [0, 1]."""
    if model.stretched:
        output = (output - output.min()) / (np.ptp(output) + np.float32(1e-8))
    return output.clip(0, 1)


def alpha_of(model: OnnxModel, matte: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
    """A matte in [0, 1] -> (height, width), 0 to 255."""
    levels = np.rint(matte * 255).astype(np.uint8)
    resized = Image.fromarray(levels).resize((width, height), model.preprocessing.resize)
    return np.array(resized)
