"""Swin-B (Liu et al., ICCV 2021, arXiv:2103.14030) for speed: one band of windows after another goes through a block.

What becomes of a band within a block fits into the processor's caches, where that of a whole image doesn't. Padding
costs no products: a padded pixel enters the attention as zero, so its query, key and value are the layer's bias.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional

from gpu_worker.inspyrenet.lean.windows import cut
from gpu_worker.inspyrenet.swin import DEPTHS, HEADS, PATCH, WINDOW, relative_positions, shift_masks

if TYPE_CHECKING:
    from torch import Tensor

    from gpu_worker.inspyrenet.lean.layers import Attention
    from gpu_worker.inspyrenet.lean.parts import Parts
    from gpu_worker.inspyrenet.lean.windows import Band

__all__ = ["Backbone"]

_SHIFTS: Final = (0, WINDOW // 2)
"""Of every block with an even number, and of every one with an odd number."""


class Norm:
    """Layer norm over the last dimension."""

    def __init__(self, parts: Parts) -> None:
        self._weight, self._bias = parts.tensor("weight"), parts.tensor("bias")

    def __call__(self, x: Tensor) -> Tensor:
        """To the type of the weights, whatever the input's."""
        return functional.layer_norm(x.to(self._weight.dtype), self._weight.shape, self._weight, self._bias)


class WindowAttention:
    """Multi-head attention within the windows of a band, over a residual. (B, pixels, C) -> the same."""

    def __init__(self, parts: Parts, heads: int, shift: int) -> None:
        self._heads = heads
        self._norm = Norm(parts.at("norm1"))
        self._qkv = parts.linear("attn.qkv")
        self._proj = parts.linear("attn.proj")
        self._of_padding = parts.tensor("attn.qkv.bias")
        table = parts.tensor("attn.relative_position_bias_table")
        positions = table.t()[:, relative_positions(WINDOW).to(table.device)]
        masks = shift_masks(WINDOW, shift).to(table)
        biases = positions + masks[:, None]  # (kinds of window, heads, N, N)
        self._attentions = [parts.layers.attention(bias, self._of_padding.dtype) for bias in biases]

    def __call__(self, pixels: Tensor, band: Band) -> Tensor:
        normed = self._norm(pixels)
        if band.padded:
            normed = torch.cat([normed, normed.new_zeros(len(normed), 1, normed.shape[2])], dim=1)
        projected = self._qkv(normed)
        slots = projected.index_select(1, band.slots)
        windows = slots.view(len(slots), -1, WINDOW * WINDOW, slots.shape[2])
        mixed = [self._mix(windows[:, chosen], self._attentions[kind]) for kind, chosen in band.kinds]
        joined = mixed[0] if len(mixed) == 1 else torch.cat(mixed, dim=1)
        return self._proj.plus(joined.index_select(1, band.places), pixels)

    def _mix(self, windows: Tensor, attention: Attention) -> Tensor:
        """(B, windows, N, 3 C) -> (B, windows * N, C)."""
        batch, _, pixels, channels = windows.shape
        projected = windows.reshape(-1, pixels, 3, self._heads, channels // (3 * self._heads))
        return attention(projected).view(batch, -1, channels // 3)


class Mlp:
    """Two layers over a residual. (B, pixels, C) -> the same."""

    def __init__(self, parts: Parts) -> None:
        self._norm = Norm(parts.at("norm2"))
        self._fc1, self._fc2 = parts.linear("mlp.fc1"), parts.linear("mlp.fc2")

    def __call__(self, pixels: Tensor) -> Tensor:
        return self._fc2.plus(self._fc1(self._norm(pixels), gelu=True), pixels)


class Block:
    """Attention within (shifted) windows, then an MLP. (B, h, w, C) -> the same."""

    def __init__(self, parts: Parts, heads: int, shift: int) -> None:
        self._attention = WindowAttention(parts, heads, shift)
        self._mlp = Mlp(parts)

    def __call__(self, x: Tensor, bands: list[Band]) -> Tensor:
        if len(bands) == 1:
            return self._through(x, bands[0]).view_as(x)
        out = torch.empty_like(x)
        for band in bands:
            band.put(self._through(x, band), out)
        return out

    def _through(self, x: Tensor, band: Band) -> Tensor:
        """(B, h, w, C) -> the band's part of the output, (B, pixels, C)."""
        return self._mlp(self._attention(band.take(x), band))


class Stage:
    """Blocks at one resolution, every second one shifted. (B, h, w, C) -> the same."""

    def __init__(self, parts: Parts, depth: int, heads: int) -> None:
        self._blocks = [Block(parts.at(f"blocks.{block}"), heads, _SHIFTS[block % 2]) for block in range(depth)]
        self._largest_band = parts.layers.largest_band
        self._bands: dict[tuple[int, int], list[list[Band]]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        bands = self._cut(x)
        for number, block in enumerate(self._blocks):
            x = block(x, bands[number % 2])
        return x

    def _cut(self, x: Tensor) -> list[list[Band]]:
        """Bands for each of the `_SHIFTS`, kept for every size that was seen."""
        height, width = x.shape[1:3]
        if (height, width) not in self._bands:
            self._bands[height, width] = [
                cut(height, width, WINDOW, shift, largest=self._largest_band, device=x.device) for shift in _SHIFTS
            ]
        return self._bands[height, width]


class PatchMerging:
    """Each 2 x 2 pixels into one of twice the channels. (B, h, w, C) -> (B, h / 2, w / 2, 2 C)."""

    def __init__(self, parts: Parts) -> None:
        self._norm = Norm(parts.at("norm"))
        self._reduction = parts.linear("reduction")

    def __call__(self, x: Tensor) -> Tensor:
        corners = [x[:, dy::2, dx::2] for dx, dy in product((0, 1), repeat=2)]
        return self._reduction(self._norm(torch.cat(corners, dim=-1)))


class Backbone:
    """(B, 3, H, W) float32 -> five features (B, C, h, w), channels-last: the patches at 1/4 of the size, and what the
    stages make of them at 1/4, 1/8, 1/16 and 1/32.
    """

    def __init__(self, parts: Parts) -> None:
        embedding = parts.at("patch_embed")
        self._proj = embedding.tensor("proj.weight"), embedding.tensor("proj.bias")
        self._norm = Norm(embedding.at("norm"))
        stages = [parts.at(f"layers.{stage}") for stage in range(len(DEPTHS))]
        self._stages = [Stage(stage, *shape) for stage, *shape in zip(stages, DEPTHS, HEADS, strict=True)]
        self._norms = [Norm(parts.at(f"norm{stage}")) for stage in range(len(DEPTHS))]
        self._mergings = [PatchMerging(stage.at("downsample")) for stage in stages[:-1]]

    def __call__(self, images: Tensor) -> list[Tensor]:
        images = images.contiguous(memory_format=torch.channels_last)
        x = self._norm(functional.conv2d(images, *self._proj, stride=PATCH).permute(0, 2, 3, 1))
        features = [x]
        for number, (stage, norm) in enumerate(zip(self._stages, self._norms, strict=True)):
            x = stage(self._mergings[number - 1](x) if number else x)
            features.append(norm(x))
        return [feature.permute(0, 3, 1, 2) for feature in features]
