"""The Laplacian image pyramid (Burt and Adelson, 1983) that InSPyReNet rebuilds its saliency from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LaplacianPyramid"]

RADIUS: Final = 3
SIGMA: Final = 1.0


class LaplacianPyramid(nn.Module):
    """One channel, Gaussian of 7 x 7 pixels and sigma 1."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        offsets = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64)
        line = torch.exp(-(offsets**2) / (2 * SIGMA**2))
        line /= line.sum()
        # Times 4, since three of four pixels of an expanded image are zero before the blur.
        self.register_buffer("kernel", 4 * torch.outer(line, line).float()[None, None], persistent=False)

    def expand(self, x: Tensor) -> Tensor:
        """(B, 1, h, w) -> (B, 1, 2 h, 2 w), h and w at least 2."""
        spread = x.new_zeros(x.shape[0], 1, 2 * x.shape[2], 2 * x.shape[3])
        spread[:, :, ::2, ::2] = x
        return functional.conv2d(functional.pad(spread, (RADIUS,) * 4, mode="reflect"), self.kernel)

    def forward(self, coarse: Tensor, laplacian: Tensor) -> Tensor:
        """The image one level finer: (B, 1, h, w) and (B, 1, 2 h, 2 w) -> (B, 1, 2 h, 2 w)."""
        return self.expand(coarse) + laplacian
