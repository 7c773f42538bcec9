"""The network that the worker runs gives the original's mattes, on all of its layers and in every precision."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest
import torch

from gpu_worker.inspyrenet import network_of
from gpu_worker.inspyrenet.lean import LeanNetwork, OneDnnLayers, PlainLayers, cast, fold, layers_for
from tests.parity.conftest import SIDE
from tests.parity.mattes import demand_equal, one_by_one
from tests.parity.photos import as_inputs
from tests.parity.reference import reference_network

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
    return fold(network_of(original.state_dict(), SIDE))


@pytest.fixture(scope="module")
def expected(original: Any) -> Callable[[int, int], tuple[Tensor, Tensor]]:
    """Images of that height and width, and the original's mattes of them."""

    @cache
    def make(height: int, width: int) -> tuple[Tensor, Tensor]:
        images = as_inputs(["chelsea", "astronaut"], height, width)
        return images, one_by_one(original, images)

    return make


@pytest.fixture(scope="module")
def at_384_px(original: Any) -> tuple[Tensor, Tensor]:
    """An image, and its matte by the original as it is with the `fast` checkpoint."""
    fast = reference_network(384)
    fast.load_state_dict(original.state_dict())
    image = as_inputs(["astronaut"], 384, 384)
    return image, fast(image)


@pytest.mark.parametrize("layers", _LAYERS)
def test_at_384_px_the_matte_is_the_originals(
    at_384_px: tuple[Tensor, Tensor], tensors: dict[str, Tensor], layers: Layers
) -> None:
    image, matte = at_384_px
    demand_equal(LeanNetwork(tensors, 384, layers)(image), matte, within=1e-4)


@pytest.mark.parametrize("layers", _LAYERS)
@pytest.mark.parametrize("size", [(96, 64), (SIDE, SIDE), (64, 160)], ids=lambda size: f"{size[1]}x{size[0]}")
def test_at_any_size_square_or_not_a_batch_has_the_originals_mattes(
    expected: Callable[[int, int], tuple[Tensor, Tensor]],
    tensors: dict[str, Tensor],
    layers: Layers,
    size: tuple[int, int],
) -> None:
    images, mattes = expected(*size)
    demand_equal(LeanNetwork(tensors, SIDE, layers)(images), mattes, within=1e-4)


def test_every_tensor_bears_on_the_mattes(tensors: dict[str, Tensor]) -> None:
    image = as_inputs(["chelsea"], 64, 64)
    with torch.inference_mode(mode=False), torch.enable_grad():
        leaves = {name: tensor.clone().requires_grad_() for name, tensor in tensors.items()}
        network = LeanNetwork(leaves, SIDE, PlainLayers())
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
    matte = LeanNetwork(cast(tensors, dtype), SIDE, layers_for("cpu", dtype))(image)
    assert matte.isfinite().all()
    assert 0 < (matte - expected).abs().mean() <= 1.5 * (mixed - expected).abs().mean()


@pytest.mark.parametrize("layers", _LAYERS)
def test_a_value_that_is_not_finite_spoils_the_matte_of_its_own_image(
    tensors: dict[str, Tensor], layers: Layers
) -> None:
    images = as_inputs(["astronaut", "coffee"], 64, 64)
    network = LeanNetwork(tensors, SIDE, layers)
    expected = network(images)
    images[0, 1, 20, 30] = torch.nan
    mattes = network(images)
    assert mattes[0].isnan().all()
    torch.testing.assert_close(mattes[1], expected[1])


def test_each_matte_spans_zero_to_one(tensors: dict[str, Tensor]) -> None:
    mattes = LeanNetwork(tensors, SIDE, PlainLayers())(as_inputs(["astronaut", "coffee"], 64, 64))
    assert mattes.amin((1, 2, 3)).tolist() == [0, 0]
    assert mattes.amax((1, 2, 3)).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("size", [(384, 400), (100, 64)])
def test_a_side_that_is_no_multiple_of_32_is_refused(tensors: dict[str, Tensor], size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        LeanNetwork(tensors, SIDE, PlainLayers())(torch.zeros(1, 3, *size))
