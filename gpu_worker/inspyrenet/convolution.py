"""The convolution that every head of the network is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ConvNorm"]


class ConvNorm(nn.Module):
    """Convolution without bias that keeps the size, then batch norm, then ReLU if asked.

    `kernel` is (height, width), both odd. (B, inputs, h, w) -> (B, outputs, h, w).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int] = 1,
        *,
        dilation: int = 1,
        norm: bool = True,
        relu: bool = False,
    ) -> None:
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (dilation * (height - 1) // 2, dilation * (width - 1) // 2)
        self.conv = nn.Conv2d(inputs, outputs, (height, width), padding=padding, dilation=dilation, bias=False)
        self.bn = nn.BatchNorm2d(outputs) if norm else nn.Identity()
        self._relu = relu

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.bn(self.conv(x))
        return functional.relu(out, inplace=True) if self._relu else out
