"""InSPyReNet: a coarse saliency, refined level by level into a Laplacian pyramid (Kim et al., ACCV 2022,
arXiv:2209.09475, section 3), for inference at one resolution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from gpu_worker.inspyrenet.attention import ContextAttention
from gpu_worker.inspyrenet.context import ContextEncoder
from gpu_worker.inspyrenet.decoder import SaliencyDecoder
from gpu_worker.inspyrenet.pyramid import LaplacianPyramid
from gpu_worker.inspyrenet.resizing import resize
from gpu_worker.inspyrenet.swin import CHANNELS, SwinBackbone

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["STRIDE", "InSPyReNet", "normalised"]

STRIDE: Final = 32
"""Height and width of an input are multiples of this, px."""

_DEPTH: Final = 64
_EPSILON: Final = 1e-8


class InSPyReNet(nn.Module):
    """Mattes of photos. `base_size` is the side that the checkpoint was trained for, px: 1024 (base), 384 (fast).

    Other sizes work too, square or not, with a matte that follows the attention at `base_size`.
    """

    def __init__(self, base_size: int) -> None:
        super().__init__()
        self.backbone = SwinBackbone()
        self.context1, self.context2, self.context3, self.context4, self.context5 = (
            ContextEncoder(channels, _DEPTH) for channels in CHANNELS
        )
        self.decoder = SaliencyDecoder(_DEPTH)
        self.attention0 = ContextAttention(_DEPTH, _DEPTH, summary_size=base_size, laplacian=True)
        self.attention1 = ContextAttention(2 * _DEPTH, _DEPTH, summary_size=base_size // 2, laplacian=True)
        self.attention2 = ContextAttention(2 * _DEPTH, _DEPTH, summary_size=base_size // 4, laplacian=False)
        self._pyramid = LaplacianPyramid()
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float32, normalised -> mattes (B, 1, H, W) float32 in [0, 1], each spanning it.

        Raises ValueError where H or W is no multiple of 32.
        """
        height, width = images.shape[-2:]
        if height % STRIDE or width % STRIDE:
            raise ValueError(f"input of {width}x{height} px: both sides must be multiples of {STRIDE}")
        return normalised(torch.sigmoid(self._logits(images)))

    def _logits(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        patches, quarter, eighth, sixteenth, coarsest = self.backbone(images)
        quarter = self.context2(quarter)
        feature, saliency = self.decoder(self.context3(eighth), self.context4(sixteenth), self.context5(coarsest))

        feature = resize(feature, height // 4, width // 4)
        feature, laplacian = self.attention2(torch.cat([quarter, feature], dim=1), saliency)
        saliency = self._pyramid(saliency, laplacian)

        halves = [resize(half, height // 2, width // 2) for half in (self.context1(patches), feature)]
        feature, finer = self.attention1(torch.cat(halves, dim=1), saliency, laplacian)
        saliency = self._pyramid(saliency, finer)

        _, finest = self.attention0(resize(feature, height, width), saliency, finer)
        logits: Tensor = self._pyramid(saliency, finest)
        return logits


def normalised(mattes: Tensor) -> Tensor:
    """Each matte of (B, 1, H, W) stretched to [0, 1] by itself, so that a photo's neighbours never change it."""
    low, high = mattes.amin((1, 2, 3), keepdim=True), mattes.amax((1, 2, 3), keepdim=True)
    return (mattes - low) / (high - low + _EPSILON)
