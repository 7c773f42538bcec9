"""The decoder of UACANet (Kim et al., ACM MM 2021, arXiv:2107.02368) that gives InSPyReNet its coarsest saliency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from gpu_worker.inspyrenet.context import AxialAttention
from gpu_worker.inspyrenet.convolution import ConvNorm
from gpu_worker.inspyrenet.resizing import resize

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SaliencyDecoder"]


class SaliencyDecoder(nn.Module):
    """Three features, finest first, each (B, channels, h, w), the coarser ones smaller -> feature (B, channels, h, w)
    and saliency logits (B, 1, h, w) at the size of the finest.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(3 * channels, channels, 3)
        self.conv2 = ConvNorm(channels, channels, 3)
        self.conv3 = ConvNorm(channels, channels, 3)
        self.conv4 = ConvNorm(channels, channels, 3)
        self.conv5 = ConvNorm(channels, 1, 3, norm=False)
        self.Hattn = AxialAttention(channels, "height")
        self.Wattn = AxialAttention(channels, "width")

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        height, width = fine.shape[-2:]
        upper = [resize(feature, height, width, align_corners=True) for feature in (coarse, middle)]
        x = self.conv1(torch.cat([*upper, fine], dim=1))
        x = self.conv4(self.conv3(self.conv2(self.Hattn(x) + self.Wattn(x))))
        return x, self.conv5(x)
