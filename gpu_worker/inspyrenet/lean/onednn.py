"""`Layers` for CPUs: oneDNN's kernels with what follows them done in the same pass; float32's products are torch's.

These are the operators that `torch.compile` puts into its code for CPUs, here without its minutes of compilation.
They are private to torch, whose version is pinned; the tests compare them with `PlainLayers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn import functional

from gpu_worker.inspyrenet.lean.layers import PlainLayers, same_padding

if TYPE_CHECKING:
    from torch import Tensor

    from gpu_worker.inspyrenet.lean.layers import Attention, Convolution, EnlargingConvolution, Linear

__all__ = ["OneDnnLayers"]

_OPERATORS: Final[Any] = torch.ops.mkldnn
_UNIT: Final = (1, 1)
_MATRICES: Final = 64
"""Of attention at once, one for each window and head: 2.6 MB for windows of 144 pixels."""
_ROWS: Final = 2048
"""Rows of a product that weights are laid out for; any other number works as well."""


class OneDnnLayers:
    """`largest_band`: what a band's pixels become within a block then fits into the caches of a few cores.

    `largest_strip`: 16 MB of float32, of which a few are needed at once; at 1024 x 1024 a sixteenth of the pixels.
    """

    largest_band = 3072
    largest_strip = 1 << 16
    _plain = PlainLayers()

    @staticmethod
    def supports(dtype: torch.dtype) -> bool:
        """Whether this processor has the instructions for `dtype`; without them oneDNN refuses it."""
        if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch's
            return False
        if dtype == torch.bfloat16:
            return bool(_OPERATORS._is_mkldnn_bf16_supported())  # noqa: SLF001  # see above
        if dtype == torch.float16:
            return bool(_OPERATORS._is_mkldnn_fp16_supported())  # noqa: SLF001  # see above
        return dtype == torch.float32

    def attention(self, bias: Tensor, dtype: torch.dtype) -> Attention:
        return self._plain.attention(bias, dtype) if dtype == torch.float32 else _ProductAttention(bias, dtype)

    def linear(self, weight: Tensor, bias: Tensor | None) -> Linear:
        return _InPlaceLinear(weight, bias) if weight.dtype == torch.float32 else _PackedLinear(weight, bias)

    def convolution(self, weight: Tensor, bias: Tensor | None, *, dilation: int = 1) -> Convolution:
        return _FusedConvolution(weight, bias, dilation)

    def enlarging_convolution(self, weight: Tensor, bias: Tensor) -> EnlargingConvolution:
        return _CommutedConvolution(weight, bias)


class _ProductAttention:
    """Attention step by step, a few windows at a time: for numbers of 16 bits.

    torch's fused kernel takes 32 queries at a time, whose products are too small for oneDNN's instructions on such
    numbers: it takes 1.1 times as long, 1.4 beside other work. In float32 it is the fused one that is faster.
    """

    def __init__(self, bias: Tensor, dtype: torch.dtype) -> None:
        self._bias = bias.to(dtype)
        self._windows_at_once = max(1, _MATRICES // len(bias))

    def __call__(self, projected: Tensor) -> Tensor:
        return torch.cat([self._mixed(some) for some in torch.split(projected, self._windows_at_once)])

    def _mixed(self, projected: Tensor) -> Tensor:
        windows, pixels, _, heads, depth = projected.shape
        query, key, value = projected.permute(2, 0, 3, 1, 4).reshape(3, -1, pixels, depth)
        scores = torch.bmm(query, key.transpose(1, 2)).view(windows, heads, pixels, pixels)
        weights = torch.softmax(torch.add(self._bias, scores, alpha=depth**-0.5), dim=-1).flatten(0, 1)
        return torch.bmm(weights, value).view(windows, heads, pixels, depth).transpose(1, 2).flatten(2)


class _InPlaceLinear:
    """torch's product of matrices, and what follows it in the same memory: for float32.

    oneDNN's wasn't faster (on an Intel Xeon) and adds up all inputs one after the other, whose rounding put the alpha
    of one photo at 1024 x 1024 off by 1e-3 instead of 1e-4. And this one takes the weights as they are mapped.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._bias = weight, bias

    def __call__(self, x: Tensor, *, gelu: bool = False) -> Tensor:
        out = functional.linear(x, self._weight, self._bias)
        return torch.ops.aten.gelu_(out) if gelu else out

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        return self(x).add_(residual)


class _PackedLinear:
    """Keeps the weights in the order in which the processor's instructions take them."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight = _OPERATORS._reorder_linear_weight(weight, _ROWS)  # noqa: SLF001  # see above
        self._bias = bias
        self._operator = _OPERATORS._linear_pointwise  # noqa: SLF001  # see above

    def __call__(self, x: Tensor, *, gelu: bool = False) -> Tensor:
        out: Tensor = self._operator(x, self._weight, self._bias, "gelu" if gelu else "none", [], "none")
        return out

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        out: Tensor = self._operator.binary(x, residual, self._weight, self._bias, "add")
        return out


class _FusedConvolution:
    def __init__(self, weight: Tensor, bias: Tensor | None, dilation: int) -> None:
        self._layer = (weight, bias, same_padding(weight, dilation), _UNIT, (dilation, dilation), 1)
        self._operator = _OPERATORS._convolution_pointwise  # noqa: SLF001  # see above

    def __call__(self, x: Tensor, *, relu: bool = False) -> Tensor:
        out: Tensor = self._operator(x, *self._layer, "relu" if relu else "none", [], None)
        return out

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        out: Tensor = self._operator.binary(x, residual, *self._layer, "add", None, "relu", [], None)
        return out


class _CommutedConvolution:
    """A 3 x 3 convolution of an enlarged feature at a quarter of its cost, equal up to rounding.

    To enlarge bilinearly is to put zeros between the pixels and to blur each channel by itself. A blur that is the
    same for every channel commutes with a convolution. So the convolution comes first, where three of four products
    are with zeros and are never made (a transposed convolution), and then the blur.

    That goes wrong along the border, beyond which bilinear resizing repeats the last pixel while the convolution has
    zeros. The two lines there are made the long way.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self._spreading = weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)
        line = torch.tensor([1, 3, 3, 1], dtype=weight.dtype, device=weight.device) / 4
        channels = weight.shape[0]
        blur = torch.outer(line, line).expand(channels, 1, 4, 4).contiguous()
        self._blur = (blur, bias, _UNIT, _UNIT, _UNIT, channels)
        self._operator = _OPERATORS._convolution_pointwise  # noqa: SLF001  # see above
        self._plain = PlainLayers().enlarging_convolution(weight, bias)

    def __call__(self, x: Tensor, *, relu: bool = False) -> Tensor:
        spread = functional.conv_transpose2d(x, self._spreading, stride=2)
        out: Tensor = self._operator(spread, *self._blur, "relu" if relu else "none", [], None)
        for side in (2, 3):
            for two_lines in (slice(2), slice(-2, None)):
                border = _along(out, side, two_lines)
                border.copy_(_along(self._plain(_along(x, side, two_lines), relu=relu), side, two_lines))
        return out


def _along(x: Tensor, side: int, lines: slice) -> Tensor:
    return x[:, :, lines] if side == 2 else x[:, :, :, lines]
