"""InSPyReNet as the worker runs it (Kim et al., ACCV 2022, arXiv:2209.09475, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gpu_worker.inspyrenet.lean.attention import ContextAttention
from gpu_worker.inspyrenet.lean.context import ContextEncoder
from gpu_worker.inspyrenet.lean.decoder import SaliencyDecoder
from gpu_worker.inspyrenet.lean.denormals import flushed_denormals
from gpu_worker.inspyrenet.lean.parts import Parts
from gpu_worker.inspyrenet.lean.pyramid import expand
from gpu_worker.inspyrenet.lean.swin import Backbone
from gpu_worker.inspyrenet.network import STRIDE, normalised
from gpu_worker.inspyrenet.resizing import resize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from gpu_worker.inspyrenet.lean.layers import Layers

__all__ = ["LeanNetwork"]


class LeanNetwork:
    """Mattes of photos, from the tensors that `fold` makes, on their device and in their precision.

    `base_size` is the side that the checkpoint was trained for, px: 1024 (base), 384 (fast). For inference only.
    """

    def __init__(self, tensors: Mapping[str, Tensor], base_size: int, layers: Layers) -> None:
        parts = Parts(tensors, layers)
        self._backbone = Backbone(parts.at("backbone"))
        self._contexts = [ContextEncoder(parts.at(f"context{number}")) for number in range(1, 6)]
        self._decoder = SaliencyDecoder(parts.at("decoder"))
        self._attention0, self._attention1, self._attention2 = (
            ContextAttention(
                parts.at(f"attention{level}"), summary_size=base_size >> level, laplacian=level < 2, halved=level < 2
            )
            for level in range(3)
        )

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float32, normalised -> mattes (B, 1, H, W) float32 in [0, 1], each spanning it.

        A matte is all NaN where its image was not finite, or went beyond the precision's range in the backbone.
        Raises ValueError where H or W is no multiple of 32.
        """
        height, width = images.shape[-2:]
        if height % STRIDE or width % STRIDE:
            raise ValueError(f"input of {width}x{height} px: both sides must be multiples of {STRIDE}")
        with torch.inference_mode(), flushed_denormals():
            features = self._backbone(images)
            mattes = normalised(torch.sigmoid(self._logits(features)))
            # What was not finite on the way is taken for zero by a ReLU of oneDNN. Nothing else shows it afterwards.
            return mattes.where(features[-1].isfinite().flatten(1).all(dim=1)[:, None, None, None], torch.nan)

    def _logits(self, features: list[Tensor]) -> Tensor:
        patches, quarter, *coarser = (context(x) for context, x in zip(self._contexts, features, strict=True))
        feature, saliency = self._decoder(*coarser)

        feature = torch.cat([quarter, resize(feature, *quarter.shape[2:])], dim=1)
        feature, laplacian = self._attention2(feature, saliency)
        saliency = expand(saliency) + laplacian

        feature, finer = self._attention1(torch.cat([patches, feature], dim=1), saliency, laplacian)
        saliency = expand(saliency) + finer

        return expand(saliency) + self._attention0.laplacian(feature, saliency, finer)
