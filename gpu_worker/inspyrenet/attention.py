"""Scale-invariant context attention: the module that refines a saliency by one level of the pyramid
(InSPyReNet, section 3.1, figure 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from gpu_worker.inspyrenet.convolution import ConvNorm
from gpu_worker.inspyrenet.resizing import resize

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ContextAttention"]


class ContextAttention(nn.Module):
    """Pixels attend to a few vectors that sum up the feature: one each for foreground, background and doubt, and,
    given the Laplacian of the level below, one each for its positive and negative side.

    Whatever the image's size, the feature is summed up at `(base // 2^level)` squared pixels, the size it had in
    training: that makes the module invariant to scale.
    """

    def __init__(self, inputs: int, channels: int, *, summary_size: int, laplacian: bool) -> None:
        super().__init__()
        self._summary_size = summary_size
        self.conv_query = _pair(inputs, channels, 3)
        self.conv_key = _pair(inputs, channels, 1)
        self.conv_value = _pair(inputs, channels, 1)
        self.conv_out1 = ConvNorm(channels, channels, 3, relu=True)
        self.conv_out2 = ConvNorm(inputs + channels, channels, 3, relu=True)
        self.conv_out3 = ConvNorm(channels, channels, 3, relu=True)
        self.conv_out4 = ConvNorm(channels, 1)
        self.threshold = nn.Parameter(torch.tensor([0.5]))
        if laplacian:
            self.lthreshold = nn.Parameter(torch.tensor([0.5]))

    def forward(self, x: Tensor, saliency: Tensor, laplacian: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Refine one level.

        x: (B, inputs, h, w). saliency, laplacian: logits (B, 1, any, any); the laplacian exactly where the module
        was made for one. Returns a feature (B, channels, h, w) and the level's Laplacian, logits (B, 1, h, w).
        """
        height, width = x.shape[-2:]
        maps = self._regions(resize(saliency, height, width))
        if laplacian is not None:
            maps += _sides(torch.sigmoid(resize(laplacian, height, width)) - self.lthreshold)
        summary = self._summary(x, torch.cat(maps, dim=1))

        query = self.conv_query(x).flatten(2).transpose(1, 2)  # (B, h * w, channels)
        key = self.conv_key(summary).flatten(2)  # (B, channels, K)
        value = self.conv_value(summary).flatten(2).transpose(1, 2)  # (B, K, channels)
        weights = torch.softmax(query @ key * key.shape[1] ** -0.5, dim=-1)
        context = (weights @ value).transpose(1, 2).unflatten(2, (height, width))

        x = torch.cat([x, self.conv_out1(context)], dim=1)
        x = self.conv_out3(self.conv_out2(x))
        return x, self.conv_out4(x)

    def _regions(self, saliency: Tensor) -> list[Tensor]:
        """How far each pixel is foreground, background and doubtful."""
        distance = torch.sigmoid(saliency) - self.threshold
        return [*_sides(distance), self.threshold - distance.abs()]

    def _summary(self, x: Tensor, maps: Tensor) -> Tensor:
        """The feature summed up over each of the K maps: (B, inputs, K, 1).

        The original lays the feature, (B, inputs, h, w) in memory, out as (B, h * w, inputs) without moving the
        channels last; the checkpoints were trained that way.
        """
        size = self._summary_size
        rows = resize(x, size, size).reshape(x.shape[0], size * size, x.shape[1])
        summary = resize(maps, size, size).flatten(2) @ rows
        return summary.transpose(1, 2)[..., None]


def _pair(inputs: int, channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(ConvNorm(inputs, channels, kernel, relu=True), ConvNorm(channels, channels, kernel, relu=True))


def _sides(distance: Tensor) -> list[Tensor]:
    """The positive and the negative side of a distance from a threshold, each in [0, 1]."""
    return [distance.clamp(0, 1), (-distance).clamp(0, 1)]
