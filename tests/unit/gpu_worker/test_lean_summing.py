"""Features are summed up over maps as the original does it, whether they are enlarged before or never."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
import torch

from gpu_worker.inspyrenet.lean.summing import can_stay_small, sums, sums_of_enlarged
from gpu_worker.inspyrenet.resizing import resize

if TYPE_CHECKING:
    from torch import Tensor

_TOLERANCE: Final = {torch.float32: 1e-5, torch.bfloat16: 2**-6, torch.float16: 2**-9}
"""Of the largest sum, when summed in another order: a few times the spacing of the type's numbers there."""


def _original(x: Tensor, maps: Tensor) -> Tensor:
    """As the published network does it, but in float64."""
    rows = x.double().contiguous().reshape(len(x), -1, x.shape[1])
    return (maps.double().flatten(2) @ rows).transpose(1, 2)


def _case(batch: int, channels: int, height: int, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """A feature, and five maps of twice its size."""
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(batch, channels, height, width, generator=generator)
    maps = torch.rand(batch, 5, 2 * height, 2 * width, generator=generator)
    return x.to(dtype).contiguous(memory_format=torch.channels_last), maps


def _demand_close(actual: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    assert actual.dtype == torch.float32
    largest = float(expected.abs().max())
    assert largest > 1
    torch.testing.assert_close(actual.double(), expected, rtol=0, atol=_TOLERANCE[dtype] * largest)


@pytest.mark.parametrize("dtype", _TOLERANCE, ids=str)
@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((1, 4, 2, 2), id="one run a row"),
        pytest.param((1, 2, 1, 5), id="one row, one column a run"),
        pytest.param((2, 8, 5, 12), id="two images"),
        pytest.param((1, 64, 64, 96), id="as in the network"),
    ],
)
def test_sums_of_an_enlarged_feature_need_no_enlarged_feature(
    shape: tuple[int, int, int, int], dtype: torch.dtype
) -> None:
    x, maps = _case(*shape, dtype)
    assert can_stay_small(x)
    expected = _original(resize(x.float(), *maps.shape[2:]), maps)
    _demand_close(sums_of_enlarged(x, maps), expected, dtype)


@pytest.mark.parametrize("dtype", _TOLERANCE, ids=str)
def test_a_run_may_go_on_in_the_next_row_of_a_feature_of_the_right_size(dtype: torch.dtype) -> None:
    x, maps = _case(2, 16, 4, 12, dtype)
    assert not can_stay_small(x)
    enlarged = resize(x, *maps.shape[2:]).contiguous(memory_format=torch.channels_last)
    _demand_close(sums(enlarged, maps), _original(enlarged, maps), dtype)
