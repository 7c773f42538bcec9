"""The axial attention module of UACANet (Kim et al., ACM MM 2021, arXiv:2107.02368) that InSPyReNet uses to
reduce every backbone feature to few channels with a wide view (section 3.1 of InSPyReNet).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import nn
from torch.nn import functional

from gpu_worker.inspyrenet.convolution import ConvNorm

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["AxialAttention", "ContextEncoder"]


class AxialAttention(nn.Module):
    """Attention among the positions along one side of the feature, over a residual. (B, C, h, w) -> the same.

    The original lays a feature out as (B, -1, h) for `side` "height" without moving that axis last, so its
    "height" attention runs along the width for square features and along rows of h consecutive values else. The
    checkpoints were trained that way.
    """

    def __init__(self, channels: int, side: Literal["height", "width"]) -> None:
        super().__init__()
        self._side = side
        self.query_conv = ConvNorm(channels, channels // 8)
        self.key_conv = ConvNorm(channels, channels // 8)
        self.value_conv = ConvNorm(channels, channels)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        batch, length = x.shape[0], x.shape[2 if self._side == "height" else 3]
        layout = (batch, -1, length)
        query, key = self.query_conv(x).reshape(layout), self.key_conv(x).reshape(layout)
        value = self.value_conv(x).reshape(layout)
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=-1)
        mixed: Tensor = value @ weights.transpose(1, 2)
        return x + self.gamma * mixed.reshape(x.shape)


class AxialBranch(nn.Module):
    """A view of one reach: a cross of `reach` pixels, both axial attentions, a convolution dilated by `reach`."""

    def __init__(self, inputs: int, outputs: int, reach: int) -> None:
        super().__init__()
        self.conv0 = ConvNorm(inputs, outputs)
        self.conv1 = ConvNorm(outputs, outputs, (1, reach))
        self.conv2 = ConvNorm(outputs, outputs, (reach, 1))
        self.conv3 = ConvNorm(outputs, outputs, 3, dilation=reach)
        self.Hattn = AxialAttention(outputs, "height")
        self.Wattn = AxialAttention(outputs, "width")

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2(self.conv1(self.conv0(x)))
        out: Tensor = self.conv3(self.Hattn(x) + self.Wattn(x))
        return out


class ContextEncoder(nn.Module):
    """Four parallel views of one feature, joined over a residual. (B, inputs, h, w) -> (B, outputs, h, w)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.branch0 = ConvNorm(inputs, outputs)
        self.branch1 = AxialBranch(inputs, outputs, 3)
        self.branch2 = AxialBranch(inputs, outputs, 5)
        self.branch3 = AxialBranch(inputs, outputs, 7)
        self.conv_cat = ConvNorm(4 * outputs, outputs, 3)
        self.conv_res = ConvNorm(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        views = [branch(x) for branch in (self.branch0, self.branch1, self.branch2, self.branch3)]
        return functional.relu(self.conv_cat(torch.cat(views, dim=1)) + self.conv_res(x))
