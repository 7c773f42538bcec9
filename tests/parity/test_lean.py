"""The network that the worker runs gives the original's mattes, on all of its layers and in every precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
import torch

from gpu_worker.inspyrenet import network_of
from gpu_worker.inspyrenet.lean import LeanNetwork, OneDnnLayers, PlainLayers, cast, fold, layers_for
from tests.parity.photos import as_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from gpu_worker.inspyrenet.lean.layers import Layers

_LAYERS: Final = [
    pytest.param(PlainLayers(), id="plain"),
    pytest.param(
        OneDnnLayers(),
        id="onednn",
        marks=pytest.mark.skipif(not OneDnnLayers.supports(torch.float32), reason="torch was built without oneDNN"),
    ),
]


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def tensors(original: Any) -> dict[str, Tensor]:
    return fold(network_of(original.state_dict(), 384))


def _demand_equal(mattes: Tensor, expected: Tensor, *, within: float) -> None:
    assert mattes.shape == expected.shape
    assert mattes.dtype == torch.float32
    assert expected.std() > 0.1, "a flat matte would agree with everything"
    assert (mattes - expected).abs().max() <= within


def _one_by_one(network: Any, images: Tensor) -> Tensor:
    """The original stretches a whole batch to [0, 1] at once: it is right for single images only."""
    return torch.cat([network(image[None]) for image in images])


@pytest.mark.parametrize("layers", _LAYERS)
def test_at_384_px_a_batch_has_the_originals_mattes(original: Any, tensors: dict[str, Tensor], layers: Layers) -> None:
    images = as_inputs(["astronaut", "chelsea"], 384, 384)
    _demand_equal(LeanNetwork(tensors, 384, layers)(images), _one_by_one(original, images), within=1e-4)


@pytest.mark.parametrize("layers", _LAYERS)
@pytest.mark.parametrize("size", [(96, 64), (192, 320), (416, 160)], ids=lambda size: f"{size[1]}x{size[0]}")
def test_other_sizes_square_or_not_have_the_originals_mattes(
    original: Any, tensors: dict[str, Tensor], layers: Layers, size: tuple[int, int]
) -> None:
    images = as_inputs(["chelsea", "coffee", "astronaut"], *size)
    _demand_equal(LeanNetwork(tensors, 384, layers)(images), _one_by_one(original, images), within=1e-4)


def test_at_1024_px_the_mattes_are_the_originals(calibrated: Callable[[int], Any]) -> None:
    """The size of the `base` checkpoint."""
    base = calibrated(1024)
    lean = LeanNetwork(fold(network_of(base.state_dict(), 1024)), 1024, layers_for("cpu", torch.float32))
    image = as_inputs(["astronaut"], 1024, 1024)
    _demand_equal(lean(image), base(image), within=6e-4)


def test_every_tensor_bears_on_the_mattes(tensors: dict[str, Tensor]) -> None:
    image = as_inputs(["chelsea"], 64, 64)
    with torch.inference_mode(mode=False), torch.enable_grad():
        leaves = {name: tensor.clone().requires_grad_() for name, tensor in tensors.items()}
        network = LeanNetwork(leaves, 384, PlainLayers())
        total = network._logits(network._backbone(image)).square().sum()
        gradients = torch.autograd.grad(total, list(leaves.values()))
    idle = [name for name, gradient in zip(leaves, gradients, strict=True) if not gradient.any()]
    assert idle == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_lower_precision_is_as_near_as_torchs_own_mixed_one(
    original: Any, tensors: dict[str, Tensor], dtype: torch.dtype
) -> None:
    """Random networks amplify rounding, so that no fixed limit says much: what `autocast` in bfloat16 loses does."""
    image = as_inputs(["astronaut"], 64, 64)
    expected = original(image)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = original(image).float()
    matte = LeanNetwork(cast(tensors, dtype), 384, layers_for("cpu", dtype))(image)
    assert matte.isfinite().all()
    assert 0 < (matte - expected).abs().mean() <= 1.5 * (mixed - expected).abs().mean()


@pytest.mark.parametrize("layers", _LAYERS)
def test_a_value_that_is_not_finite_spoils_the_matte_of_its_own_image(
    tensors: dict[str, Tensor], layers: Layers
) -> None:
    images = as_inputs(["astronaut", "coffee"], 64, 64)
    network = LeanNetwork(tensors, 384, layers)
    expected = network(images)
    images[0, 1, 20, 30] = torch.nan
    mattes = network(images)
    assert mattes[0].isnan().all()
    torch.testing.assert_close(mattes[1], expected[1])


def test_each_matte_spans_zero_to_one(tensors: dict[str, Tensor]) -> None:
    mattes = LeanNetwork(tensors, 384, PlainLayers())(as_inputs(["astronaut", "coffee"], 64, 64))
    assert mattes.amin((1, 2, 3)).tolist() == [0, 0]
    assert mattes.amax((1, 2, 3)).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("size", [(384, 400), (100, 64)])
def test_a_side_that_is_no_multiple_of_32_is_refused(tensors: dict[str, Tensor], size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        LeanNetwork(tensors, 384, PlainLayers())(torch.zeros(1, 3, *size))
