"""The layers that fuse and commute for speed give what the plain ones do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
import torch

from gpu_worker.inspyrenet.attention import ContextAttention as PublishedAttention
from gpu_worker.inspyrenet.lean.attention import ContextAttention
from gpu_worker.inspyrenet.lean.devices import layers_for
from gpu_worker.inspyrenet.lean.folding import fold
from gpu_worker.inspyrenet.lean.layers import PlainLayers
from gpu_worker.inspyrenet.lean.onednn import OneDnnLayers
from gpu_worker.inspyrenet.lean.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

_TOLERANCE: Final = {torch.float32: 2e-5, torch.bfloat16: 2**-6}
"""Of values around 1, summed in another order: a few times the spacing of the type's numbers there."""

_DTYPES: Final = [
    pytest.param(
        dtype,
        id=str(dtype).removeprefix("torch."),
        marks=pytest.mark.skipif(not OneDnnLayers.supports(dtype), reason="this processor has no instructions for it"),
    )
    for dtype in _TOLERANCE
]


@pytest.fixture(autouse=True)
def reproducible() -> Iterator[None]:
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(0)
        yield


def _random(*shape: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(shape).to(dtype)


def _image(*shape: int, dtype: torch.dtype) -> Tensor:
    return _random(*shape, dtype=dtype).contiguous(memory_format=torch.channels_last)


def _weight(*shape: int, dtype: torch.dtype) -> Tensor:
    """Of outputs about as large as the inputs."""
    weight = torch.randn(shape)
    weight *= weight[0].numel() ** -0.5
    return weight.to(dtype)


def _demand_close(actual: Tensor, expected: Tensor, *, times: float = 1) -> None:
    assert actual.dtype == expected.dtype
    tolerance = times * _TOLERANCE[expected.dtype]
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


def test_float32_products_round_no_more_than_torchs_own() -> None:
    """At the longest sums of the backbone. oneDNN's, one input after the other, are off by 1.6 times as much."""
    x, weight, bias = torch.randn(256, 4096), _weight(64, 4096, dtype=torch.float32), torch.randn(64)
    exact = torch.nn.functional.linear(x.double(), weight.double(), bias.double())
    plain, fast = (layers.linear(weight, bias)(x) for layers in (PlainLayers(), OneDnnLayers()))
    assert (fast - exact).square().mean().sqrt() <= 1.2 * (plain - exact).square().mean().sqrt()


@pytest.mark.parametrize("dtype", _DTYPES)
@pytest.mark.parametrize(("windows", "heads"), [(1, 4), (21, 8), (5, 100)])
def test_attention_agrees(dtype: torch.dtype, windows: int, heads: int) -> None:
    """Of fewer windows than are worked on together, of some left over, of one at a time.

    Step by step, scores of up to 8 are rounded too before the softmax.
    """
    bias = torch.randn(heads, 9, 9)
    stepwise, fused = (layers.attention(bias, dtype) for layers in (OneDnnLayers(), PlainLayers()))
    projected = _random(windows, 9, 3, heads, 16, dtype=dtype)
    _demand_close(stepwise(projected), fused(projected), times=2)


@pytest.mark.parametrize("dtype", _DTYPES)
@pytest.mark.parametrize("with_bias", [True, False])
def test_linear_layers_agree(dtype: torch.dtype, *, with_bias: bool) -> None:
    weight, bias = _weight(48, 64, dtype=dtype), _random(48, dtype=dtype) if with_bias else None
    fused, plain = OneDnnLayers().linear(weight, bias), PlainLayers().linear(weight, bias)
    x, residual = _random(2, 33, 64, dtype=dtype), _random(2, 33, 48, dtype=dtype)
    _demand_close(fused(x), plain(x))
    _demand_close(fused(x, gelu=True), plain(x, gelu=True))
    _demand_close(fused.plus(x, residual), plain.plus(x, residual))


@pytest.mark.parametrize("dtype", _DTYPES)
@pytest.mark.parametrize(("kernel", "dilation"), [((1, 1), 1), ((3, 3), 1), ((1, 5), 1), ((7, 1), 1), ((3, 3), 5)])
def test_convolutions_agree(dtype: torch.dtype, kernel: tuple[int, int], dilation: int) -> None:
    weight, bias = _weight(16, 24, *kernel, dtype=dtype), _random(16, dtype=dtype)
    fused, plain = (layers.convolution(weight, bias, dilation=dilation) for layers in (OneDnnLayers(), PlainLayers()))
    x, residual = _image(2, 24, 13, 9, dtype=dtype), _image(2, 16, 13, 9, dtype=dtype)
    _demand_close(fused(x), plain(x))
    _demand_close(fused(x, relu=True), plain(x, relu=True))
    _demand_close(fused.plus(x, residual), plain.plus(x, residual))


@pytest.mark.parametrize("dtype", _DTYPES)
@pytest.mark.parametrize("size", [(2, 2), (2, 7), (3, 2), (16, 24)])
def test_convolving_before_enlarging_agrees_up_to_the_border(dtype: torch.dtype, size: tuple[int, int]) -> None:
    weight, bias = _weight(16, 24, 3, 3, dtype=dtype), _random(16, dtype=dtype)
    commuted, plain = (layers.enlarging_convolution(weight, bias) for layers in (OneDnnLayers(), PlainLayers()))
    x = _image(2, 24, *size, dtype=dtype)
    for relu in (False, True):
        _demand_close(commuted(x, relu=relu), plain(x, relu=relu))


def test_plain_convolutions_are_torchs_own() -> None:
    own = torch.nn.Conv2d(4, 6, 3, padding=2, dilation=2)
    x = torch.randn(1, 4, 8, 8)
    ours = PlainLayers().convolution(own.weight, own.bias, dilation=2)
    _demand_close(ours(x), own(x))


def test_a_cpu_without_the_instructions_and_a_gpu_run_torchs_own_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OneDnnLayers, "supports", lambda dtype: dtype == torch.float32)
    assert isinstance(layers_for("cpu", torch.float32), OneDnnLayers)
    assert isinstance(layers_for("cpu", torch.float16), PlainLayers)
    assert isinstance(layers_for("cuda", torch.float32), PlainLayers)


class _InStrips(PlainLayers):
    largest_strip = 500


def test_a_level_done_in_strips_is_the_level_done_as_a_whole() -> None:
    published = PublishedAttention(24, 16, summary_size=48, laplacian=True)
    for norm in published.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(norm.weight, 0.5, 2)
            torch.nn.init.normal_(norm.bias)
    tensors = fold(torch.nn.ModuleDict({"level": published.eval()}))
    whole, in_strips = (
        ContextAttention(Parts(tensors, layers).at("level"), summary_size=48, laplacian=True, halved=True)
        for layers in (PlainLayers(), _InStrips())
    )
    x = _image(2, 24, 30, 22, dtype=torch.float32)
    saliency, laplacian = _image(2, 1, 30, 22, dtype=torch.float32), _image(2, 1, 15, 11, dtype=torch.float32)
    assert len(list(in_strips._strips(x))) == 6
    _, expected = whole(x, saliency, laplacian)
    assert expected.std() > 0.1
    for level in (whole, in_strips):
        _demand_close(level.laplacian(x, saliency, laplacian), expected)
