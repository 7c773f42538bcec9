"""One step up the Laplacian pyramid (Burt and Adelson, 1983)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import torch

from gpu_worker.inspyrenet.pyramid import RADIUS, SIGMA

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["expand"]


def _taps() -> tuple[float, ...]:
    """Weights of a Gaussian line at distance 0 to `RADIUS`, twice their sum being 2: every second pixel is zero."""
    line = [math.exp(-(distance**2) / (2 * SIGMA**2)) for distance in range(RADIUS + 1)]
    total = 2 * sum(line) - line[0]
    return tuple(2 * weight / total for weight in line)


_TAPS: Final = _taps()


def expand(x: Tensor) -> Tensor:
    """(B, 1, h, w) -> (B, 1, 2 h, 2 w), h and w at least 2.

    As the original does it, zeros go between the pixels, the border is mirrored, and 7 x 7 pixels are blurred; but
    one axis after the other, and without the products with zero.
    """
    return _along(_along(x, 2), 3)


def _along(x: Tensor, axis: int) -> Tensor:
    length = x.shape[axis]
    before, last, second_last = (x.narrow(axis, at, 1) for at in (1, length - 1, length - 2))
    mirrored = torch.cat([before, x, last, second_last], dim=axis)
    left, here, right, far = (mirrored.narrow(axis, at, length) for at in range(4))
    even = _TAPS[0] * here + _TAPS[2] * (left + right)
    odd = _TAPS[1] * (here + right) + _TAPS[3] * (left + far)
    return torch.stack([even, odd], dim=axis + 1).flatten(axis, axis + 1)
