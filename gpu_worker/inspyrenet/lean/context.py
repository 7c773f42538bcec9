"""The encoder that InSPyReNet reduces every feature of the backbone with (section 3.1), made of the axial attention
modules of UACANet (Kim et al., ACM MM 2021, arXiv:2107.02368).
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
    """The sum of both axial attentions, each over its residual: 2 x + height(x) + width(x). (B, C, h, w) -> the same.

    One product makes the queries, keys and values of both; the learnt weight of each is part of its values.
    """

    def __init__(self, parts: Parts) -> None:
        self._project = parts.linear("project")

    def __call__(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        batch, rows, columns, channels = x.shape
        projected = torch.split(self._project(x), [channels // 8, channels // 8, channels] * 2, dim=3)
        out = _attend(2 * x, *projected[3:])
        if rows == columns:
            out = _attend(out, *projected[:3])  # what the original takes for columns are rows then
        else:
            relaid = _attend(*(_as_columns(part) for part in (out, *projected[:3])))
            out = relaid.reshape(batch, channels, rows, columns).permute(0, 2, 3, 1)
        return out.permute(0, 3, 1, 2)


def _attend(residual: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The residual plus the values mixed within each line; all are (B, lines, length, channels).

    How much the places of a line take from each other is the same in all lines.
    """
    batch, lines, length, _ = value.shape
    query, key = (part.transpose(1, 2).flatten(2) for part in (query, key))
    weights = torch.softmax(query @ key.transpose(1, 2), dim=-1)
    of_every_line = weights[:, None].expand(-1, lines, -1, -1).reshape(batch * lines, length, length)
    return torch.baddbmm(residual.flatten(0, 1), of_every_line, value.flatten(0, 1)).view(residual.shape)


def _as_columns(x: Tensor) -> Tensor:
    """(B, h, w, C) -> (B, C * w, h, 1): runs of h values as they lie in memory with the channels first."""
    return x.permute(0, 3, 1, 2).reshape(x.shape[0], -1, x.shape[1], 1)


class AxialBranch:
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
        self._branch0 = parts.convolution("branch0")
        self._branches = [AxialBranch(parts.at(f"branch{number}"), reach) for number, reach in enumerate(_REACHES, 1)]
        self._conv_cat = parts.convolution("conv_cat")
        self._conv_res = parts.convolution("conv_res")

    def __call__(self, x: Tensor) -> Tensor:
        views = [self._branch0(x), *(branch(x) for branch in self._branches)]
        return self._conv_cat.plus(torch.cat(views, dim=1), self._conv_res(x))
