"""Scale-invariant context attention (InSPyReNet, section 3.1, figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gpu_worker.inspyrenet.resizing import resize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from gpu_worker.inspyrenet.lean.layers import Convolution
    from gpu_worker.inspyrenet.lean.parts import Parts

__all__ = ["ContextAttention"]


class ContextAttention:
    """Pixels attend to K = 3 or 5 vectors that sum up the feature.

    What follows the attention is a convolution, of an image in which each pixel is a mean of these K vectors. Here the
    K weights of each pixel are convolved instead, by kernels that the vectors were multiplied into: K channels take
    the place of 64.

    `halved`: the feature comes at half of the level's size, and is enlarged only to be summed up.
    """

    def __init__(self, parts: Parts, *, summary_size: int, laplacian: bool, halved: bool) -> None:
        self._summary_size = summary_size
        self._scale = 2 if halved else 1
        first = parts.enlarging_convolution if halved else parts.convolution
        self._query = first("conv_query.0"), parts.convolution("conv_query.1")
        self._key = [parts.convolution(f"conv_key.{layer}") for layer in range(2)]
        self._value = [parts.convolution(f"conv_value.{layer}") for layer in range(2)]
        self._convolution = parts.layers.convolution
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
        height, width = self._scale * x.shape[2], self._scale * x.shape[3]
        maps = self._regions(resize(saliency, height, width))
        if laplacian is not None and self._lthreshold is not None:
            maps += _sides(torch.sigmoid(resize(laplacian, height, width)) - self._lthreshold)
        summary = self._summary(resize(x, height, width), torch.cat(maps, dim=1))

        context = self._context(self._weights(x, summary), summary)
        feature = self._out3(self._out2_of_context.plus(context, self._out2_of_x(x)), relu=True)
        return feature, self._out4(feature).float()

    def _regions(self, saliency: Tensor) -> list[Tensor]:
        """How far each pixel is foreground, background and doubtful."""
        distance = torch.sigmoid(saliency) - self._threshold
        return [*_sides(distance), self._threshold - distance.abs()]

    def _summary(self, x: Tensor, maps: Tensor) -> Tensor:
        """The feature summed up over each of the K maps: (B, inputs, K, 1) float32.

        The original takes its feature, which lies in memory as (B, C, pixels), for (B, pixels, C): each of its rows is
        a run of C pixels of one channel. With the channels last in memory, such a row is a column of C x C values.
        """
        size = self._summary_size
        x, maps = resize(x, size, size), resize(maps, size, size)
        batch, channels = x.shape[:2]
        runs = x.permute(0, 2, 3, 1).reshape(-1, channels, channels)  # (B * runs, C pixels, C channels)
        of_runs = maps.reshape(batch, maps.shape[1], channels, -1).permute(0, 3, 1, 2)  # (B, runs, K, C channels)
        sums = torch.bmm(of_runs.flatten(0, 1).to(x.dtype).contiguous(), runs.transpose(1, 2))
        # Summed in float32: the sum over all runs can be beyond the range of float16.
        summary = sums.view(batch, -1, *sums.shape[1:]).sum(1, dtype=torch.float32)
        return summary.transpose(1, 2)[..., None]

    def _weights(self, x: Tensor, summary: Tensor) -> Tensor:
        """How much each pixel takes from each of the K vectors: (B, K, h, w)."""
        first, second = self._query
        query = second(first(x, relu=True), relu=True)
        key = _through(self._key, summary)  # (B, channels, K, 1)
        kernels = (key * key.shape[1] ** -0.5).transpose(1, 2)[..., None].to(query.dtype)
        logits = self._convolved(query, kernels)
        return torch.softmax(logits.contiguous(), dim=1)

    def _context(self, weights: Tensor, summary: Tensor) -> Tensor:
        """`conv_out1` of what each pixel took: (B, channels, h, w)."""
        kernel, bias = self._out1
        value = _through(self._value, summary)[..., 0]  # (B, channels, K)
        kernels = torch.einsum("ocyx,bck->bokyx", kernel, value).to(weights.dtype)
        weights = weights.contiguous(memory_format=torch.channels_last)
        return self._convolved(weights, kernels, bias.to(weights.dtype), relu=True)

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
