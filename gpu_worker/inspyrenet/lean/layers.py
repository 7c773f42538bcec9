"""The layers that the network is made of, in the fastest form that each device has.

`Plain` uses torch's public functions: on CUDA, and wherever the network is traced. `OneDnn` uses the kernels that
`torch.compile` puts into its code for CPUs, without its minutes of compilation: weights laid out once for the
processor's vector units, and what follows a product (bias, GELU or ReLU, a residual) done before the result leaves
the registers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import torch
from torch.nn import functional

from gpu_worker.inspyrenet.resizing import resize

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Convolution", "EnlargingConvolution", "Layers", "Linear", "OneDnn", "Plain"]


class Linear(Protocol):
    def __call__(self, x: Tensor, *, gelu: bool = False, add: Tensor | None = None) -> Tensor:
        """(..., inputs) -> (..., outputs), then GELU or a sum with `add`, of the result's shape."""


class Convolution(Protocol):
    def __call__(self, x: Tensor, *, relu: bool = False, add: Tensor | None = None) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h, w), then the sum with `add`, then ReLU."""


class EnlargingConvolution(Protocol):
    def __call__(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """(B, inputs, h, w), enlarged bilinearly to twice the size, then convolved: (B, outputs, 2 h, 2 w)."""


class Layers(Protocol):
    """Makes layers. Weights are (outputs, inputs) and (outputs, inputs, height, width); biases (outputs,)."""

    largest_band: int | None
    """Pixels that pass through a block of the backbone together, or None for the whole image."""

    def linear(self, weight: Tensor, bias: Tensor | None) -> Linear: ...

    def convolution(self, weight: Tensor, bias: Tensor | None, *, dilation: int = 1) -> Convolution:
        """One that keeps the size."""

    def enlarging_convolution(self, weight: Tensor, bias: Tensor) -> EnlargingConvolution: ...

    def attention(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        """Softmax(q k / sqrt(d) + bias) v: each (windows, heads, N, d), bias (heads, N, N) -> (windows, N, heads, d)."""


class Plain:
    """torch's public functions."""

    largest_band = None

    def linear(self, weight: Tensor, bias: Tensor | None) -> Linear:
        def apply(x: Tensor, *, gelu: bool = False, add: Tensor | None = None) -> Tensor:
            out = functional.linear(x, weight, bias)
            if gelu:
                out = functional.gelu(out)
            return out if add is None else out + add

        return apply

    def convolution(self, weight: Tensor, bias: Tensor | None, *, dilation: int = 1) -> Convolution:
        weight = weight.contiguous(memory_format=torch.channels_last)
        padding = _same(weight, dilation)

        def apply(x: Tensor, *, relu: bool = False, add: Tensor | None = None) -> Tensor:
            out = functional.conv2d(x, weight, bias, padding=padding, dilation=dilation)
            if add is not None:
                out = out + add
            return functional.relu(out) if relu else out

        return apply

    def enlarging_convolution(self, weight: Tensor, bias: Tensor) -> EnlargingConvolution:
        convolution = self.convolution(weight, bias)

        def apply(x: Tensor, *, relu: bool = False) -> Tensor:
            return convolution(resize(x, 2 * x.shape[2], 2 * x.shape[3]), relu=relu)

        return apply

    def attention(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias[None].to(query.dtype))
        return mixed.transpose(1, 2)


class OneDnn:
    """oneDNN through the operators behind `torch.compile`, which are private to the pinned version of torch."""

    largest_band = 3072

    def linear(self, weight: Tensor, bias: Tensor | None) -> Linear:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, _PACKED_FOR)
        operator = torch.ops.mkldnn._linear_pointwise

        def apply(x: Tensor, *, gelu: bool = False, add: Tensor | None = None) -> Tensor:
            if add is not None:
                return operator.binary(x, add, packed, bias, "add")
            return operator(x, packed, bias, "gelu" if gelu else "none", [], "none")

        return apply

    def convolution(self, weight: Tensor, bias: Tensor | None, *, dilation: int = 1) -> Convolution:
        geometry = (_same(weight, dilation), (1, 1), (dilation, dilation), 1)
        operator = torch.ops.mkldnn._convolution_pointwise

        def apply(x: Tensor, *, relu: bool = False, add: Tensor | None = None) -> Tensor:
            if add is not None:
                after = "relu" if relu else None
                return operator.binary(x, add, weight, bias, *geometry, "add", None, after, [], None)
            return operator(x, weight, bias, *geometry, "relu" if relu else "none", [], None)

        return apply

    def enlarging_convolution(self, weight: Tensor, bias: Tensor) -> EnlargingConvolution:
        return CheapEnlargingConvolution(self, weight, bias)

    def attention(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias[None]).transpose(1, 2)


_PACKED_FOR: Final = 2048


class CheapEnlargingConvolution:
    """A 3 x 3 convolution of an enlarged feature at a quarter of its cost, up to rounding and exact at the borders.

    Enlarging puts zeros between the pixels, then blurs each channel by itself, and what acts on each channel alike
    commutes with what mixes channels. So the pixels are spread and convolved first, where three of four products are
    with zeros and are left out (a transposed convolution), and the blur comes last.

    Both see a feature that goes on beyond its border as its last pixels do, while the convolution of the original
    sees zeros there; the four lines along the border are done the long way.
    """

    def __init__(self, layers: Layers, weight: Tensor, bias: Tensor) -> None:
        outputs = weight.shape[0]
        self._spreading = weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)
        line = torch.tensor([1, 3, 3, 1], dtype=weight.dtype, device=weight.device) / 4
        self._blur = torch.outer(line, line).expand(outputs, 1, 4, 4).contiguous()
        self._bias = bias
        self._plain = Plain().enlarging_convolution(weight, bias)

    def __call__(self, x: Tensor, *, relu: bool = False) -> Tensor:
        padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
        spread = functional.conv_transpose2d(padded, self._spreading, stride=2, padding=1)
        out = functional.conv2d(spread, self._blur, self._bias, groups=self._blur.shape[0])
        if relu:
            out = out.relu_()
        for side in (2, 3):
            for line, near in ((0, 0), (-1, x.shape[side] - 2)):
                out.select(side, line).copy_(self._plain(x.narrow(side, near, 2), relu=relu).select(side, line))
        return out


def _same(weight: Tensor, dilation: int) -> tuple[int, int]:
    height, width = weight.shape[2:]
    return dilation * (height - 1) // 2, dilation * (width - 1) // 2
