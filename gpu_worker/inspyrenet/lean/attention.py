"""Scale-invariant context attention (InSPyReNet, section 3.1, figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from gpu_worker.inspyrenet.resizing import resize

if TYPE_CHECKING:
    from torch import Tensor

    from gpu_worker.inspyrenet.lean.parts import Parts

__all__ = ["ContextAttention"]


class ContextAttention:
    """Pixels attend to K = 3 or 5 vectors that sum up the feature.

    What follows the attention is a convolution of its result, and each pixel of that is a mean of K vectors. So the
    K weights of each pixel are convolved instead, by kernels in which convolution and vectors are multiplied already:
    K channels instead of 64.

    `enlarged`: the feature comes at half of the level's size. It is never made larger except to be summed up.
    """

    def __init__(self, parts: Parts, *, summary_size: int, laplacian: bool, enlarged: bool) -> None:
        first = parts.enlarging_convolution if enlarged else parts.convolution
        self._summary_size = summary_size
        self._scale = 2 if enlarged else 1
        self._query0 = first("conv_query.0")
        self._query1 = parts.convolution("conv_query.1")
        self._key = [parts.convolution(f"conv_key.{number}") for number in range(2)]
        self._value = [parts.convolution(f"conv_value.{number}") for number in range(2)]
        self._out1 = parts.at("conv_out1").tensor("weight"), parts.at("conv_out1").tensor("bias")
        self._out2_x = first("conv_out2_x")
        self._out2_context = parts.convolution("conv_out2_context", bias=False)
        self._out3 = parts.convolution("conv_out3")
        self._out4 = parts.convolution("conv_out4")
        self._threshold = parts.tensor("threshold")
        self._lthreshold = parts.tensor("lthreshold") if laplacian else None

    def __call__(self, x: Tensor, saliency: Tensor, laplacian: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Refine one level of size (h, w).

        x: (B, inputs, h, w), or half as high and wide where it is `enlarged`. saliency, laplacian: logits
        (B, 1, any, any) in float32. Returns a feature (B, channels, h, w) and the level's Laplacian, logits
        (B, 1, h, w) in float32.
        """
        height, width = self._scale * x.shape[2], self._scale * x.shape[3]
        maps = self._regions(resize(saliency, height, width))
        if laplacian is not None and self._lthreshold is not None:
            maps += _sides(torch.sigmoid(resize(laplacian, height, width)) - self._lthreshold)
        summary = self._summary(resize(x, height, width), torch.cat(maps, dim=1))

        context = self._context(self._weights(x, summary), summary)
        feature = self._out3(self._out2_context(context, add=self._out2_x(x), relu=True), relu=True)
        return feature, self._out4(feature).float()

    def _regions(self, saliency: Tensor) -> list[Tensor]:
        """How far each pixel is foreground, background and doubtful."""
        distance = torch.sigmoid(saliency) - self._threshold
        return [*_sides(distance), self._threshold - distance.abs()]

    def _summary(self, x: Tensor, maps: Tensor) -> Tensor:
        """The feature summed up over each of the K maps: (B, inputs, K, 1) float32.

        The original lays the feature, (B, C, h, w) in memory, out as rows of C values, so that a row holds C
        neighbouring pixels of one channel. Of the feature channels-last those are, for each C pixels, a column.
        """
        size = self._summary_size
        x, maps = resize(x, size, size), resize(maps, size, size)
        batch, channels = x.shape[:2]
        runs = x.permute(0, 2, 3, 1).reshape(-1, channels, channels)  # (B * size^2 / C, pixels, C)
        weights = maps.reshape(batch, -1, channels, size * size // channels).permute(0, 3, 1, 2).flatten(0, 1)
        sums = torch.bmm(weights.to(x.dtype).contiguous(), runs.transpose(1, 2)).unflatten(0, (batch, -1))
        return sums.sum(1, dtype=torch.float32).transpose(1, 2)[..., None]

    def _weights(self, x: Tensor, summary: Tensor) -> Tensor:
        """How much each pixel takes from each of the K vectors: (B, K, h, w)."""
        query = self._query1(self._query0(x, relu=True), relu=True)
        key = _through(self._key, summary).to(query.dtype)  # (B, channels, K, 1)
        keys = (key * key.shape[1] ** -0.5).transpose(1, 2)[..., None]  # (B, K, channels, 1, 1)
        logits = _each(query, keys)
        return torch.softmax(logits.contiguous(), dim=1)

    def _context(self, weights: Tensor, summary: Tensor) -> Tensor:
        """`conv_out1` of the vectors that each pixel takes: (B, channels, h, w)."""
        kernel, bias = self._out1
        value = _through(self._value, summary)[..., 0]  # (B, channels, K)
        kernels = torch.einsum("ocyx,bck->bokyx", kernel, value).to(weights.dtype)
        weights = weights.contiguous(memory_format=torch.channels_last)
        return _each(weights, kernels, bias, padding=1).relu_()


def _each(x: Tensor, kernels: Tensor, bias: Tensor | None = None, *, padding: int = 0) -> Tensor:
    """Each image of (B, inputs, h, w) convolved by its own kernel of (B, outputs, inputs, height, width)."""
    images = [
        functional.conv2d(image, kernel, bias, padding=padding)
        for image, kernel in zip(x.split(1), kernels, strict=True)
    ]
    return images[0] if len(images) == 1 else torch.cat(images)


def _through(convolutions: list, x: Tensor) -> Tensor:
    for convolution in convolutions:
        x = convolution(x, relu=True)
    return x


def _sides(distance: Tensor) -> list[Tensor]:
    """The positive and the negative side of a distance from a threshold, each in [0, 1]."""
    return [distance.clamp(0, 1), (-distance).clamp(0, 1)]
