"""Scale-invariant context attention (InSPyReNet, section 3.1, figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from gpu_worker.inspyrenet.lean.summing import can_stay_small, sums, sums_of_enlarged
from gpu_worker.inspyrenet.resizing import resize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from gpu_worker.inspyrenet.lean.layers import Convolution
    from gpu_worker.inspyrenet.lean.parts import Parts

__all__ = ["ContextAttention"]

_REACH: Final = 6
"""Pixels of the level: five convolutions of three and an enlargement, one each."""


class ContextAttention:
    """Pixels attend to K = 3 or 5 vectors that sum up the feature.

    What follows the attention is a convolution, of an image in which each pixel is a mean of these K vectors. Here the
    K weights of each pixel are convolved instead, by kernels that the vectors were multiplied into: K channels take
    the place of 64.

    `halved`: the feature comes at half of the level's size, and is enlarged only to be summed up.

    All that follows the sums looks no further than `_REACH` pixels, so it can be done strip by strip.
    """

    def __init__(self, parts: Parts, *, summary_size: int, laplacian: bool, halved: bool) -> None:
        self._summary_size = summary_size
        self._scale = 2 if halved else 1
        first = parts.enlarging_convolution if halved else parts.convolution
        self._query = first("conv_query.0"), parts.convolution("conv_query.1")
        self._key = [parts.convolution(f"conv_key.{layer}") for layer in range(2)]
        self._value = [parts.convolution(f"conv_value.{layer}") for layer in range(2)]
        self._convolution = parts.layers.convolution
        self._largest_strip = parts.layers.largest_strip
        self._out1 = parts.tensor("conv_out1.weight"), parts.tensor("conv_out1.bias")
        self._out2_of_x = first("conv_out2_of_x")
        self._out2_of_context = parts.convolution("conv_out2_of_context")
        self._out3 = parts.convolution("conv_out3")
        self._out4 = parts.convolution("conv_out4")
        self._threshold = parts.tensor("threshold")
        self._lthreshold = parts.tensor("lthreshold") if laplacian else None

    def __call__(self, x: Tensor, saliency: Tensor, laplacian: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Refine one level of size (h, w).

        x: (B, inputs, h, w), or half as high and wide if `halved`. saliency, laplacian: logits (B, 1, any, any) in
        float32. Returns a feature (B, channels, h, w) and the level's Laplacian, logits (B, 1, h, w) in float32.
        """
        feature = self._feature(x, *self._kernels(x, saliency, laplacian))
        return feature, self._out4(feature).float()

    def laplacian(self, x: Tensor, saliency: Tensor, laplacian: Tensor) -> Tensor:
        """The same level's Laplacian alone, for which the feature never needs to be in memory as a whole."""
        kernels = self._kernels(x, saliency, laplacian)
        strips = (
            self._out4(self._feature(x[:, :, rows], *kernels)[:, :, kept]).float() for rows, kept in self._strips(x)
        )
        return torch.cat(list(strips), dim=2)

    def _strips(self, x: Tensor) -> Iterator[tuple[slice, slice]]:
        """Rows of x, and which rows of what becomes of them are to be kept: together, every row of the level once."""
        height, width = x.shape[2:]
        rows_at_once = height
        if self._largest_strip is not None:
            rows_at_once = max(1, self._largest_strip // (self._scale**2 * width))
        reach = _REACH // self._scale
        for start in range(0, height, rows_at_once):
            stop = min(start + rows_at_once, height)
            first = max(start - reach, 0)
            kept = slice(self._scale * (start - first), self._scale * (stop - first))
            yield slice(first, min(stop + reach, height)), kept

    def _feature(self, x: Tensor, of_query: Tensor, of_weights: Tensor) -> Tensor:
        """(B, channels, h, w), by the kernels that the level was summed up to."""
        context = self._context(self._weights(x, of_query), of_weights)
        return self._out3(self._out2_of_context.plus(context, self._out2_of_x(x)), relu=True)

    def _kernels(self, x: Tensor, saliency: Tensor, laplacian: Tensor | None) -> tuple[Tensor, Tensor]:
        """For each image: of its query, (B, K, channels, 1, 1), of its weights, (B, channels, K, 3, 3)."""
        height, width = self._scale * x.shape[2], self._scale * x.shape[3]
        maps = self._regions(resize(saliency, height, width))
        if laplacian is not None and self._lthreshold is not None:
            maps += _sides(torch.sigmoid(resize(laplacian, height, width)) - self._lthreshold)
        summary = self._summary(x, torch.cat(maps, dim=1))
        key = _through(self._key, summary)  # (B, channels, K, 1)
        value = _through(self._value, summary)[..., 0]  # (B, channels, K)
        of_query = (key * key.shape[1] ** -0.5).transpose(1, 2)[..., None]
        of_weights = torch.einsum("ocyx,bck->bokyx", self._out1[0], value)
        return of_query.to(x.dtype), of_weights.to(x.dtype)

    def _regions(self, saliency: Tensor) -> list[Tensor]:
        """How far each pixel is foreground, background and doubtful."""
        distance = torch.sigmoid(saliency) - self._threshold
        return [*_sides(distance), self._threshold - distance.abs()]

    def _summary(self, x: Tensor, maps: Tensor) -> Tensor:
        """The feature summed up over each of the K maps, which have the level's size: (B, inputs, K, 1) float32."""
        size = self._summary_size
        height, width = maps.shape[2:]
        if self._scale == 2 and (height, width) == (size, size) and can_stay_small(x):
            return sums_of_enlarged(x, maps)[..., None]
        feature, maps = resize(resize(x, height, width), size, size), resize(maps, size, size)
        return sums(feature, maps)[..., None]

    def _weights(self, x: Tensor, kernels: Tensor) -> Tensor:
        """How much each pixel takes from each of the K vectors: (B, K, h, w)."""
        first, second = self._query
        query = second(first(x, relu=True), relu=True)
        return torch.softmax(self._convolved(query, kernels).contiguous(), dim=1)

    def _context(self, weights: Tensor, kernels: Tensor) -> Tensor:
        """`conv_out1` of what each pixel took: (B, channels, h, w)."""
        bias = self._out1[1].to(weights.dtype)
        weights = weights.contiguous(memory_format=torch.channels_last)
        return self._convolved(weights, kernels, bias, relu=True)

    def _convolved(self, x: Tensor, kernels: Tensor, bias: Tensor | None = None, *, relu: bool = False) -> Tensor:
        """Each image of (B, inputs, h, w) convolved by its own kernel of (B, outputs, inputs, height, width)."""
        pairs = zip(torch.split(x, 1), kernels, strict=True)
        images = [self._convolution(kernel, bias)(image, relu=relu) for image, kernel in pairs]
        return images[0] if len(images) == 1 else torch.cat(images)


def _through(convolutions: Sequence[Convolution], x: Tensor) -> Tensor:
    for convolution in convolutions:
        x = convolution(x, relu=True)
    return x


def _sides(distance: Tensor) -> list[Tensor]:
    """The positive and the negative side of a distance from a threshold, each in [0, 1]."""
    return [distance.clamp(0, 1), (-distance).clamp(0, 1)]
