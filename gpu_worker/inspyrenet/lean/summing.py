"""What a feature sums up to over each of K maps, the way InSPyReNet's context attention reads it.

The original takes its feature, which lies in memory as (B, C, pixels), for (B, pixels, C): each of its rows is a run
of C pixels of one channel. With the channels last in memory, such a row is a column of C x C values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["can_stay_small", "sums", "sums_of_enlarged"]

_NEAR: Final = 0.75
_FAR: Final = 0.25
"""What each pixel of an image enlarged bilinearly to twice the size takes from the two that it lies between."""


def sums(x: Tensor, maps: Tensor) -> Tensor:
    """x: (B, C, h, w), channels-last. maps: (B, K, h, w) float32, C dividing h * w. Returns (B, C, K) float32."""
    batch, channels = x.shape[:2]
    of_runs = maps.reshape(batch, maps.shape[1], channels, -1)
    return _sums_of_runs(x.permute(0, 2, 3, 1).reshape(batch, -1, channels, channels), of_runs).transpose(1, 2)


def can_stay_small(x: Tensor) -> bool:
    """Whether `sums_of_enlarged` can be had of x, (B, C, h, w): where no run goes on in the next row."""
    return x.shape[1] % 2 == 0 and 2 * x.shape[3] % x.shape[1] == 0


def sums_of_enlarged(x: Tensor, maps: Tensor) -> Tensor:
    """`sums` of x enlarged bilinearly to twice the size, which is never made.

    x: (B, C, h, w), channels-last. maps: (B, K, 2 h, 2 w) float32. Returns (B, C, K) float32.

    Sums are linear. So what a row would give to the enlarged rows is summed up in the maps beforehand; and since all
    runs are enlarged alike, the columns of their sums are enlarged instead of theirs, for which a run needs a column
    on either side.
    """
    batch, channels, height, width = x.shape
    columns = channels // 2
    of_rows = _gathered(maps.view(batch, maps.shape[1], channels, 2 * height, -1))  # (B, K, C, h, runs in a row)
    runs = x.permute(0, 2, 3, 1).reshape(batch, -1, columns, channels)
    inner = _sums_of_runs(runs, of_rows.flatten(3))
    starts = torch.arange(0, width, columns, device=x.device)
    before, after = (
        x.index_select(3, beside.clamp(0, width - 1)).float().flatten(1) for beside in (starts - 1, starts + columns)
    )
    outer = of_rows.flatten(2) @ torch.stack([before, after], dim=2)  # (B, K, 2)
    around = torch.cat([outer[..., :1], inner, outer[..., 1:]], dim=2)
    left, here, right = (around[..., at : at + columns] for at in range(3))
    enlarged = torch.stack([_FAR * left + _NEAR * here, _NEAR * here + _FAR * right], dim=3)
    return enlarged.flatten(2).transpose(1, 2)


def _gathered(maps: Tensor) -> Tensor:
    """The transpose of enlarging rows: (..., 2 h, runs) -> (..., h, runs)."""
    upper, lower = maps[..., ::2, :], maps[..., 1::2, :]
    gathered = _NEAR * (upper + lower)
    gathered[..., 1:, :].add_(lower[..., :-1, :], alpha=_FAR)
    gathered[..., :-1, :].add_(upper[..., 1:, :], alpha=_FAR)
    # Beyond the border lies what is on it.
    gathered[..., 0, :].add_(upper[..., 0, :], alpha=_FAR)
    gathered[..., -1, :].add_(lower[..., -1, :], alpha=_FAR)
    return gathered


def _sums_of_runs(runs: Tensor, of_runs: Tensor) -> Tensor:
    """(B, runs, pixels, C), and weights (B, K, C, runs) -> (B, K, pixels), summed over channels and runs."""
    batch, count, pixels, channels = runs.shape
    weights = of_runs.to(runs.dtype).permute(0, 3, 1, 2).reshape(batch * count, -1, channels)
    products = torch.bmm(weights, runs.reshape(-1, pixels, channels).transpose(1, 2))
    # Summed in float32: the sum over all runs can be beyond the range of float16.
    return products.view(batch, count, -1, pixels).sum(1, dtype=torch.float32)
