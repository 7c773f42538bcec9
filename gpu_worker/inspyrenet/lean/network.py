"""InSPyReNet (Kim et al., ACCV 2022, arXiv:2209.09475) as the worker runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gpu_worker.inspyrenet.lean.attention import ContextAttention
from gpu_worker.inspyrenet.lean.context import ContextEncoder
from gpu_worker.inspyrenet.lean.decoder import SaliencyDecoder
from gpu_worker.inspyrenet.lean.parts import Parts
from gpu_worker.inspyrenet.lean.swin import Backbone
from gpu_worker.inspyrenet.network import STRIDE, normalised
from gpu_worker.inspyrenet.pyramid import LaplacianPyramid
from gpu_worker.inspyrenet.resizing import resize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from gpu_worker.inspyrenet.lean.layers import Layers

__all__ = ["LeanNetwork"]


class LeanNetwork:
    """Mattes of photos, from the tensors that `fold` makes of a checkpoint's. For inference only.

    `base_size` is the side that the checkpoint was trained for, px. The tensors' type and device are those of the
    passes.
    """

    def __init__(self, tensors: Mapping[str, Tensor], base_size: int, layers: Layers) -> None:
        parts = Parts(tensors, layers)
        self._backbone = Backbone(parts.at("backbone"))
        self._contexts = [ContextEncoder(parts.at(f"context{level}")) for level in range(1, 6)]
        self._decoder = SaliencyDecoder(parts.at("decoder"))
        self._attention0, self._attention1, self._attention2 = (
            ContextAttention(
                parts.at(f"attention{level}"),
                summary_size=base_size >> level,
                laplacian=level < 2,
                enlarged=level < 2,
            )
            for level in range(3)
        )
        self._pyramid = LaplacianPyramid().to(parts.tensor("attention0.threshold").device)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float32, normalised -> mattes (B, 1, H, W) float32 in [0, 1], each spanning it.

        Raises ValueError where H or W is no multiple of 32.
        """
        height, width = images.shape[-2:]
        if height % STRIDE or width % STRIDE:
            raise ValueError(f"input of {width}x{height} px: both sides must be multiples of {STRIDE}")
        return normalised(torch.sigmoid(self._logits(images)))

    def _logits(self, images: Tensor) -> Tensor:
        patches, quarter, *coarser = (
            context(feature) for context, feature in zip(self._contexts, self._backbone(images), strict=True)
        )
        feature, saliency = self._decoder(*coarser)

        feature = resize(feature, *quarter.shape[-2:])
        feature, laplacian = self._attention2(torch.cat([quarter, feature], dim=1), saliency)
        saliency = self._pyramid(saliency, laplacian)

        feature, finer = self._attention1(torch.cat([patches, feature], dim=1), saliency, laplacian)
        saliency = self._pyramid(saliency, finer)

        _, finest = self._attention0(feature, saliency, finer)
        return self._pyramid(saliency, finest)
