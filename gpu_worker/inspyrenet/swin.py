"""Swin-B with windows of 12 x 12 as a feature pyramid: attention within windows that every second block shifts
by half a window (Liu et al., ICCV 2021, arXiv:2103.14030, sections 3.1 and 3.2).

Features stay channels-last, (B, h, w, C), until they leave the backbone.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CHANNELS", "SwinBackbone", "relative_positions"]

PATCH: Final = 4
WIDTH: Final = 128
DEPTHS: Final = (2, 2, 18, 2)
HEADS: Final = (4, 8, 16, 32)
WINDOW: Final = 12
CHANNELS: Final = (WIDTH, *(WIDTH << stage for stage in range(len(DEPTHS))))
"""Channels of the five features that the backbone returns: the patches, then each stage's."""

MASKED: Final = -100.0
"""Added to the logits of pixels that only the cyclic shift made neighbours; finite as in the original."""

_BUT_LAST: Final = slice(None, -1)
_LAST: Final = slice(-1, None)


def relative_positions(window: int) -> Tensor:
    """Row of the bias table for each pair of pixels of a window: (N, N) int64, N = window squared.

    The offset (dy, dx) of the first pixel from the second, each in (-window, window), numbered row by row.
    """
    ys, xs = torch.arange(window).repeat_interleave(window), torch.arange(window).repeat(window)
    dy, dx = ys[:, None] - ys, xs[:, None] - xs
    return (dy + window - 1) * (2 * window - 1) + dx + window - 1


def shift_masks(window: int, shift: int) -> Tensor:
    """What windows add to their logits: (4, N, N) float32 where shifted, else (1, N, N) of zeros.

    Once the features are rolled by `shift`, the last row of windows holds rows from both ends of the image, and the
    last column holds columns from both. So there are four kinds of window, whatever the size of the image: inner,
    last column, last row, and both. Pixels from different ends don't see each other.
    """
    if not shift:
        return torch.zeros(1, window * window, window * window)
    wrapped = torch.arange(window) >= window - shift
    masks = []
    for last_row, last_column in product((False, True), repeat=2):
        end = (2 * (wrapped & last_row)[:, None] + (wrapped & last_column)).flatten()
        masks.append((end[:, None] != end) * MASKED)
    return torch.stack(masks)


class WindowAttention(nn.Module):
    """Multi-head attention among the N pixels of each window, with a learnt bias for each relative position.

    (B, rows, columns, N, C) -> the same, where rows and columns count windows.
    """

    bias: Tensor
    relative_position_index: Tensor

    def __init__(self, channels: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self._heads = heads
        self._window = window
        self._shift = shift
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("relative_position_index", relative_positions(window))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.register_buffer("bias", self._merge_bias(), persistent=False)
        self.register_load_state_dict_post_hook(WindowAttention._renew_bias)  # type: ignore[no-untyped-call]  # torch's

    def _merge_bias(self) -> Tensor:
        """Position bias and shift mask in one, kept between passes: (kinds of window, heads, N, N)."""
        table = self.relative_position_bias_table.detach()
        positions = table[self.relative_position_index].permute(2, 0, 1)
        return positions + shift_masks(self._window, self._shift).to(table.device)[:, None]

    @staticmethod
    def _renew_bias(module: nn.Module, _keys: object) -> None:
        assert isinstance(module, WindowAttention)
        module.bias = module._merge_bias()  # noqa: SLF001  # a hook gets its own module as an argument

    def forward(self, windows: Tensor) -> Tensor:
        qkv: Tensor = self.qkv(windows).reshape(*windows.shape[:-1], 3, self._heads, -1)
        qkv = qkv.permute(4, 0, 1, 2, 5, 3, 6)  # (3, B, rows, columns, heads, N, C / heads)
        if not self._shift:
            mixed = _attend(qkv, self.bias[0])
        else:
            mixed = torch.empty_like(qkv[0])
            for kind, (rows, columns) in enumerate(product((_BUT_LAST, _LAST), repeat=2)):
                mixed[:, rows, columns] = _attend(qkv[:, :, rows, columns], self.bias[kind])
        out: Tensor = self.proj(mixed.transpose(-3, -2).flatten(-2))
        return out


def _attend(qkv: Tensor, bias: Tensor) -> Tensor:
    """Softmax(q k / sqrt(d) + bias) v for each window: (3, B, rows, columns, heads, N, d) -> all but the first."""
    if not qkv.numel():
        return qkv[0]
    query, key, value = qkv.flatten(1, 3)
    mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias[None])
    return mixed.reshape(qkv.shape[1:])


class Mlp(nn.Module):
    """The two layers after the attention. (..., C) -> (..., C)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, 4 * channels)
        self.fc2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


class SwinBlock(nn.Module):
    """Attention within (shifted) windows, then an MLP, each over a residual. (B, h, w, C) -> the same."""

    def __init__(self, channels: int, heads: int, *, shift: int) -> None:
        super().__init__()
        self._shift = shift
        self.norm1 = nn.LayerNorm(channels)
        self.attn = WindowAttention(channels, heads, WINDOW, shift)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = Mlp(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._attend(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out

    def _attend(self, x: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        # Padded after the norm and unmasked: the padding takes part in the attention, as in the original.
        x = functional.pad(x, (0, 0, 0, -width % WINDOW, 0, -height % WINDOW))
        if self._shift:
            x = x.roll((-self._shift, -self._shift), dims=(1, 2))
        x = _to_image(self.attn(_to_windows(x)))
        if self._shift:
            x = x.roll((self._shift, self._shift), dims=(1, 2))
        return x[:, :height, :width]


def _to_windows(x: Tensor) -> Tensor:
    """(B, h, w, C) -> (B, h / WINDOW, w / WINDOW, WINDOW * WINDOW, C)."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // WINDOW, WINDOW, width // WINDOW, WINDOW, channels)
    return x.transpose(2, 3).flatten(3, 4)


def _to_image(windows: Tensor) -> Tensor:
    """The inverse of `_to_windows`."""
    batch, rows, columns, _, channels = windows.shape
    x = windows.reshape(batch, rows, columns, WINDOW, WINDOW, channels).transpose(2, 3)
    return x.reshape(batch, rows * WINDOW, columns * WINDOW, channels)


class PatchMerging(nn.Module):
    """Each 2 x 2 pixels into one of twice the channels. (B, h, w, C) -> (B, h / 2, w / 2, 2 C); h and w even."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * channels)
        self.reduction = nn.Linear(4 * channels, 2 * channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        corners = [x[:, dy::2, dx::2] for dx, dy in product((0, 1), repeat=2)]
        out: Tensor = self.reduction(self.norm(torch.cat(corners, dim=-1)))
        return out


class SwinStage(nn.Module):
    """Blocks at one resolution, every second one shifted. (B, h, w, C) -> what leaves the stage, of the same shape,
    and what enters the next one.
    """

    def __init__(self, channels: int, depth: int, heads: int, *, last: bool) -> None:
        super().__init__()
        shifts = [0 if block % 2 == 0 else WINDOW // 2 for block in range(depth)]
        self.blocks = nn.Sequential(*(SwinBlock(channels, heads, shift=shift) for shift in shifts))
        self.downsample = nn.Identity() if last else PatchMerging(channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.blocks(x)
        return x, self.downsample(x)


class PatchEmbedding(nn.Module):
    """Each 4 x 4 pixels into one vector. (B, 3, H, W) -> (B, H / 4, W / 4, C)."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, WIDTH, PATCH, stride=PATCH)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.norm(self.proj(image).permute(0, 2, 3, 1))
        return out


class SwinBackbone(nn.Module):
    """(B, 3, H, W), H and W multiples of 32 -> five features (B, C, h, w): the patches at 1/4 of the size, and
    what the stages make of them at 1/4, 1/8, 1/16 and 1/32, with `CHANNELS` channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding()
        self.layers = nn.ModuleList()
        for stage, (depth, heads) in enumerate(zip(DEPTHS, HEADS, strict=True)):
            self.layers.append(SwinStage(WIDTH << stage, depth, heads, last=stage == len(DEPTHS) - 1))
            self.add_module(f"norm{stage}", nn.LayerNorm(WIDTH << stage))

    def forward(self, image: Tensor) -> list[Tensor]:
        x = self.patch_embed(image)
        features = [x]
        for number, stage in enumerate(self.layers):
            feature, x = stage(x)
            features.append(self.get_submodule(f"norm{number}")(feature))
        return [feature.permute(0, 3, 1, 2).contiguous() for feature in features]
