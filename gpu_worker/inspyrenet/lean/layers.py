"""The layers that the network is made of, and their plainest form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch.nn import functional

from gpu_worker.inspyrenet.resizing import resize

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Attention", "Convolution", "EnlargingConvolution", "Layers", "Linear", "PlainLayers", "same_padding"]


class Attention(Protocol):
    def __call__(self, projected: Tensor) -> Tensor:
        """Softmax(q k / sqrt(d) + bias) v: (windows, N, 3, heads, d), queries first -> (windows, N, heads * d)."""


class Linear(Protocol):
    def __call__(self, x: Tensor, *, gelu: bool = False) -> Tensor:
        """(..., inputs) -> (..., outputs), then GELU if asked."""

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs), the shape of `residual`, which is added."""


class Convolution(Protocol):
    def __call__(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h, w), then ReLU if asked."""

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h, w), the shape of `residual`, which is added before a ReLU."""


class EnlargingConvolution(Protocol):
    def __call__(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """(B, inputs, h, w) enlarged bilinearly to twice the size, then convolved: (B, outputs, 2 h, 2 w)."""


class Layers(Protocol):
    """Makes layers for one kind of device.

    Weights are (outputs, inputs) or (outputs, inputs, height, width), biases (outputs,). Images are channels-last in
    memory. Convolutions keep the size.
    """

    @property
    def largest_band(self) -> int | None:
        """About how many pixels pass through a block of the backbone together at most; None for the whole image."""

    @property
    def largest_strip(self) -> int | None:
        """About how many pixels of the finest level are worked on together at most; None for the whole of it."""

    def attention(self, bias: Tensor, dtype: torch.dtype) -> Attention:
        """One with a float32 bias of (heads, N, N), for inputs in `dtype`."""

    def linear(self, weight: Tensor, bias: Tensor | None) -> Linear: ...

    def convolution(self, weight: Tensor, bias: Tensor | None, *, dilation: int = 1) -> Convolution: ...

    def enlarging_convolution(self, weight: Tensor, bias: Tensor) -> EnlargingConvolution:
        """One of 3 x 3."""


class PlainLayers:
    """`Layers` of torch's public functions: for GPUs, and for whatever records the network in order to compile it."""

    largest_band: int | None = None
    largest_strip: int | None = None

    def attention(self, bias: Tensor, dtype: torch.dtype) -> Attention:
        return _PlainAttention(bias, dtype)

    def linear(self, weight: Tensor, bias: Tensor | None) -> Linear:
        return _PlainLinear(weight, bias)

    def convolution(self, weight: Tensor, bias: Tensor | None, *, dilation: int = 1) -> Convolution:
        return _PlainConvolution(weight, bias, dilation)

    def enlarging_convolution(self, weight: Tensor, bias: Tensor) -> EnlargingConvolution:
        return _PlainEnlargingConvolution(self.convolution(weight, bias))


class _PlainAttention:
    def __init__(self, bias: Tensor, dtype: torch.dtype) -> None:
        # float32 where the CPU's kernel takes it beside any type; the GPU's wants that of the queries.
        self._bias = (bias if bias.device.type == "cpu" else bias.to(dtype))[None]

    def __call__(self, projected: Tensor) -> Tensor:
        query, key, value = projected.permute(2, 0, 3, 1, 4)  # (windows, heads, N, d) each
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=self._bias)
        return mixed.transpose(1, 2).flatten(2)


class _PlainLinear:
    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._bias = weight, bias

    def __call__(self, x: Tensor, *, gelu: bool = False) -> Tensor:
        out = functional.linear(x, self._weight, self._bias)
        return functional.gelu(out) if gelu else out

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        return self(x) + residual


class _PlainConvolution:
    def __init__(self, weight: Tensor, bias: Tensor | None, dilation: int) -> None:
        self._weight = weight.contiguous(memory_format=torch.channels_last)
        self._bias = bias
        self._padding, self._dilation = same_padding(weight, dilation), dilation

    def __call__(self, x: Tensor, *, relu: bool = False) -> Tensor:
        out = functional.conv2d(x, self._weight, self._bias, padding=self._padding, dilation=self._dilation)
        return functional.relu(out) if relu else out

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        return functional.relu(self(x) + residual)


class _PlainEnlargingConvolution:
    def __init__(self, convolution: Convolution) -> None:
        self._convolution = convolution

    def __call__(self, x: Tensor, *, relu: bool = False) -> Tensor:
        return self._convolution(resize(x, 2 * x.shape[2], 2 * x.shape[3]), relu=relu)


def same_padding(weight: Tensor, dilation: int = 1) -> tuple[int, int]:
    """The padding with which a convolution keeps the size."""
    height, width = weight.shape[2:]
    return dilation * (height - 1) // 2, dilation * (width - 1) // 2
