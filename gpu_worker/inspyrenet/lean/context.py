"""The axial attention of UACANet (Kim et al., ACM MM 2021, arXiv:2107.02368), and the encoder that InSPyReNet reduces
every backbone feature with (InSPyReNet, section 3.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from gpu_worker.inspyrenet.lean.parts import Parts

__all__ = ["AxialAttentions", "ContextEncoder"]

_REACHES: Final = (3, 5, 7)


class AxialAttentions:
    """The sum of both axial attentions, over its residuals: 2 x + height(x) + width(x). (B, C, h, w) -> the same.

    One product makes the queries, keys and values of both; `gamma` is part of the values.
    """

    def __init__(self, parts: Parts) -> None:
        self._project = parts.linear("project")

    def __call__(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        channels = x.shape[-1]
        narrow = channels // 8
        parts = self._project(x).split([narrow, narrow, channels] * 2, dim=-1)
        height, width = parts[:3], parts[3:]
        out = _mix(*width, residual=x, weight=2)
        if x.shape[1] == x.shape[2]:
            out = _mix(*height, residual=out, weight=1)
        else:
            query, key, value = (_columns(part) for part in height)
            mixed = _mix(query, key, value, residual=torch.zeros_like(value), weight=0)
            batch, rows, columns, _ = x.shape
            out = out + mixed.reshape(batch, channels, rows, columns).permute(0, 2, 3, 1)
        return out.permute(0, 3, 1, 2)


def _mix(query: Tensor, key: Tensor, value: Tensor, *, residual: Tensor, weight: float) -> Tensor:
    """weight * residual + the values mixed along each line. All (B, lines, length, channels).

    How much one place of a line takes from another is the same in all lines.
    """
    batch, lines, length, channels = value.shape
    query, key = (part.transpose(1, 2).flatten(2) for part in (query, key))
    weights = torch.softmax(query @ key.transpose(1, 2), dim=-1)
    every_line = weights[:, None].expand(-1, lines, -1, -1).reshape(batch * lines, length, length)
    out = torch.baddbmm(residual.flatten(0, 1), every_line, value.flatten(0, 1), beta=weight)
    return out.view(batch, lines, length, channels)


def _columns(x: Tensor) -> Tensor:
    """What the original takes for columns: (B, h, w, C) -> (B, C * w, h, 1), as it lies in memory channels first.

    In a square image these are the rows.
    """
    return x.permute(0, 3, 1, 2).reshape(x.shape[0], -1, x.shape[1], 1)


class Branch:
    """A view of one reach: a cross of `reach` pixels, both axial attentions, a convolution dilated by `reach`."""

    def __init__(self, parts: Parts, reach: int) -> None:
        self._cross = [parts.convolution(f"conv{number}") for number in range(3)]
        self._axial = AxialAttentions(parts.at("axial"))
        self._conv3 = parts.convolution("conv3", dilation=reach)

    def __call__(self, x: Tensor) -> Tensor:
        for convolution in self._cross:
            x = convolution(x)
        return self._conv3(self._axial(x))


class ContextEncoder:
    """Four parallel views of one feature, joined over a residual. (B, inputs, h, w) -> (B, outputs, h, w)."""

    def __init__(self, parts: Parts) -> None:
        branches = [Branch(parts.at(f"branch{number}"), reach) for number, reach in enumerate(_REACHES, 1)]
        self._views = [parts.convolution("branch0"), *branches]
        self._conv_cat = parts.convolution("conv_cat")
        self._conv_res = parts.convolution("conv_res")

    def __call__(self, x: Tensor) -> Tensor:
        views = torch.cat([view(x) for view in self._views], dim=1)
        return self._conv_cat(views, add=self._conv_res(x), relu=True)
