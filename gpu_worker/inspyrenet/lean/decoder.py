"""The decoder of UACANet (Kim et al., ACM MM 2021, arXiv:2107.02368) that gives InSPyReNet its coarsest saliency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gpu_worker.inspyrenet.lean.context import AxialAttentions
from gpu_worker.inspyrenet.resizing import resize

if TYPE_CHECKING:
    from torch import Tensor

    from gpu_worker.inspyrenet.lean.parts import Parts

__all__ = ["SaliencyDecoder"]


class SaliencyDecoder:
    """Three features, finest first, each (B, channels, h, w), the coarser ones smaller -> feature (B, channels, h, w)
    and saliency logits (B, 1, h, w) in float32 at the size of the finest.
    """

    def __init__(self, parts: Parts) -> None:
        self._conv1 = parts.convolution("conv1")
        self._axial = AxialAttentions(parts.at("axial"))
        self._convs = [parts.convolution(f"conv{number}") for number in (2, 3, 4)]
        self._conv5 = parts.convolution("conv5")

    def __call__(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        height, width = fine.shape[2:]
        upper = [resize(feature, height, width, align_corners=True) for feature in (coarse, middle)]
        x = self._axial(self._conv1(torch.cat([*upper, fine], dim=1)))
        for convolution in self._convs:
            x = convolution(x)
        return x, self._conv5(x).float()
