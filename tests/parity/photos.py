"""Real photos, as the network reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import skimage.data
import torch
from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["as_inputs", "photo"]


def photo(name: str) -> Image.Image:
    """`astronaut`, `chelsea` (a cat) or `coffee`, RGB."""
    return Image.fromarray(getattr(skimage.data, name)())


def as_inputs(names: list[str], height: int, width: int) -> Tensor:
    """(B, 3, height, width) float32, roughly of mean 0 and variance 1."""
    resized = [np.asarray(photo(name).resize((width, height))) for name in names]
    return torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).float().div(255).sub(0.45).div(0.23)
