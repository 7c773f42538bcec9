"""Swin-B (Liu et al., ICCV 2021, arXiv:2103.14030) for speed: band after band of windows goes through a whole block.

A band's intermediate results fit into the processor's caches, where those of an image don't. Padding costs no
products: a padded pixel is zero when it enters the attention, so its query, key and value are the layer's bias.
"""

from __future__ import annotations

from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from gpu_worker.inspyrenet.lean.windows import cut
from gpu_worker.inspyrenet.swin import DEPTHS, HEADS, PATCH, WIDTH, WINDOW, relative_positions, shift_masks

if TYPE_CHECKING:
    from torch import Tensor

    from gpu_worker.inspyrenet.lean.parts import Parts
    from gpu_worker.inspyrenet.lean.windows import Band

__all__ = ["Backbone"]

_SHIFTS = (0, WINDOW // 2)


class Norm:
    """Layer norm over the last dimension."""

    def __init__(self, parts: Parts) -> None:
        self._weight, self._bias = parts.tensor("weight"), parts.tensor("bias")

    @property
    def dtype(self) -> torch.dtype:
        return self._weight.dtype

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self._weight.shape, self._weight, self._bias)


class Attention:
    """Multi-head attention within the windows of a band. (B, pixels, C) twice, normed and not -> (B, pixels, C)."""

    def __init__(self, parts: Parts, heads: int, *, shifted: bool) -> None:
        self._heads = heads
        self._qkv = parts.linear("qkv")
        self._of_padding = parts.at("qkv").tensor("bias")
        self._proj = parts.linear("proj")
        self._attention = parts.layers.attention
        table = parts.tensor("relative_position_bias_table")
        positions = table.t()[:, relative_positions(WINDOW).to(table.device)]
        masks = shift_masks(WINDOW, _SHIFTS[shifted]).to(table.device, table.dtype)
        self._biases = positions + masks[:, None]  # (kinds of window, heads, N, N)

    def __call__(self, normed: Tensor, residual: Tensor, band: Band) -> Tensor:
        windows = self._qkv(normed).index_select(1, band.slots)
        if band.padding.numel():
            windows[:, band.padding] = self._of_padding
        windows = windows.unflatten(1, (-1, WINDOW * WINDOW)).unflatten(3, (3, self._heads, -1))
        mixed = [self._mix(windows[:, chosen], self._biases[kind]) for kind, chosen in band.kinds]
        slots = mixed[0] if len(mixed) == 1 else torch.cat(mixed, dim=1)
        return self._proj(slots.index_select(1, band.places), add=residual)

    def _mix(self, windows: Tensor, bias: Tensor) -> Tensor:
        """(B, windows, N, 3, heads, d) -> (B, windows * N, heads * d)."""
        query, key, value = windows.flatten(0, 1).permute(2, 0, 3, 1, 4)
        return self._attention(query, key, value, bias).reshape(windows.shape[0], -1, self._heads * query.shape[-1])


class Block:
    """Attention within (shifted) windows, then an MLP, each over a residual. (B, h, w, C) -> the same."""

    def __init__(self, parts: Parts, heads: int, *, shifted: bool) -> None:
        self.shifted = shifted
        self._norm1 = Norm(parts.at("norm1"))
        self._attention = Attention(parts.at("attn"), heads, shifted=shifted)
        self._norm2 = Norm(parts.at("norm2"))
        self._fc1 = parts.linear("mlp.fc1")
        self._fc2 = parts.linear("mlp.fc2")

    def __call__(self, x: Tensor, bands: list[Band]) -> Tensor:
        out = torch.empty_like(x)
        for band in bands:
            pixels = band.take(x)
            pixels = self._attention(self._norm1(pixels), pixels, band)
            band.put(self._fc2(self._fc1(self._norm2(pixels), gelu=True), add=pixels), out)
        return out


class Merging:
    """Each 2 x 2 pixels into one of twice the channels. (B, h, w, C) -> (B, h / 2, w / 2, 2 C)."""

    def __init__(self, parts: Parts) -> None:
        self._norm = Norm(parts.at("norm"))
        self._reduction = parts.linear("reduction", bias=False)

    def __call__(self, x: Tensor) -> Tensor:
        corners = [x[:, dy::2, dx::2] for dx, dy in product((0, 1), repeat=2)]
        return self._reduction(self._norm(torch.cat(corners, dim=-1)))


class Stage:
    """Blocks at one resolution, every second one shifted. (B, h, w, C) -> the same."""

    def __init__(self, parts: Parts, depth: int, heads: int) -> None:
        self._largest_band = parts.layers.largest_band
        self._blocks = [
            Block(parts.at(f"blocks.{number}"), heads, shifted=number % 2 == 1) for number in range(depth)
        ]
        self._bands: dict[tuple[int, int], tuple[list[Band], ...]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        bands = self._cut(x)
        for block in self._blocks:
            x = block(x, bands[block.shifted])
        return x

    def _cut(self, x: Tensor) -> tuple[list[Band], ...]:
        """Bands without and with a shift, kept for every size that was seen."""
        height, width = x.shape[1:3]
        if (height, width) not in self._bands:
            self._bands[height, width] = tuple(
                cut(height, width, window=WINDOW, shift=shift, largest=self._largest_band, device=x.device)
                for shift in _SHIFTS
            )
        return self._bands[height, width]


class Backbone:
    """(B, 3, H, W) float32 -> five features (B, C, h, w), channels-last: the patches at 1/4 of the size, and what the
    stages make of them at 1/4, 1/8, 1/16 and 1/32.
    """

    def __init__(self, parts: Parts) -> None:
        embedding = parts.at("patch_embed")
        self._proj = embedding.tensor("proj.weight"), embedding.tensor("proj.bias")
        self._norm = Norm(embedding.at("norm"))
        stages = [parts.at(f"layers.{number}") for number in range(len(DEPTHS))]
        self._stages = [Stage(stage, *shape) for stage, *shape in zip(stages, DEPTHS, HEADS, strict=True)]
        self._norms = [Norm(parts.at(f"norm{number}")) for number in range(len(DEPTHS))]
        self._mergings = [Merging(stage.at("downsample")) for stage in stages[:-1]]

    def __call__(self, image: Tensor) -> list[Tensor]:
        x = functional.conv2d(image.to(memory_format=torch.channels_last), *self._proj, stride=PATCH)
        x = self._norm(x.permute(0, 2, 3, 1).to(self._norm.dtype))
        features = [x]
        for number, stage in enumerate(self._stages):
            x = stage(x)
            features.append(self._norms[number](x))
            if number < len(self._mergings):
                x = self._mergings[number](x)
        return [feature.permute(0, 3, 1, 2) for feature in features]
