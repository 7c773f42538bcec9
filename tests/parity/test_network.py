"""Our network gives the original's mattes, whatever the size and the batch."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

import pytest
import torch

from gpu_worker.inspyrenet import network_of
from tests.parity.conftest import SIDE
from tests.parity.mattes import demand_equal, one_by_one
from tests.parity.photos import as_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_worker.inspyrenet import InSPyReNet

_WITHOUT_EFFECT: Final = "key_conv.bn.bias"
"""Added to every logit of a softmax alike, so no weights can show a difference in it."""


@pytest.fixture(scope="module")
def ours(original: Any) -> InSPyReNet:
    return network_of(original.state_dict(), SIDE)


@pytest.fixture(scope="module")
def exact(original: Any) -> Any:
    """The original in double precision, where nothing is left of rounding."""
    network = copy.deepcopy(original).double()
    network.image_pyramid.kernel = network.image_pyramid.kernel.double()
    return network.eval()  # which also makes the copy call itself, not what it was copied from


@pytest.fixture(scope="module")
def ours_exact(original: Any) -> InSPyReNet:
    return network_of(original.state_dict(), SIDE).double()


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.mark.parametrize("size", [(96, 64), (96, 160)], ids=lambda size: f"{size[1]}x{size[0]}")
def test_in_double_precision_the_mattes_are_the_originals(
    exact: Any, ours_exact: InSPyReNet, size: tuple[int, int]
) -> None:
    image = as_inputs(["chelsea"], *size).double()
    demand_equal(ours_exact(image), exact(image), within=1e-11)


def test_in_single_precision_a_batch_has_the_mattes_of_its_images_alone(original: Any, ours: InSPyReNet) -> None:
    images = as_inputs(["astronaut", "chelsea"], SIDE, SIDE)
    demand_equal(ours(images), one_by_one(original, images), within=1e-4)


def test_batches_of_other_sizes_have_the_mattes_of_their_images_alone(exact: Any, ours_exact: InSPyReNet) -> None:
    images = as_inputs(["astronaut", "chelsea"], 64, 160).double()
    demand_equal(ours_exact(images), one_by_one(exact, images), within=1e-11)


def test_every_parameter_bears_on_the_mattes_compared(exact: Any) -> None:
    with torch.enable_grad():
        # All levels, since the original lets no gradient through from one level of the pyramid to the next.
        levels = exact.forward_inspyre(as_inputs(["chelsea"], 96, 64).double())
        total = sum(level.square().sum() for level in (*levels["saliency"], *levels["laplacian"]))
        names, parameters = zip(*exact.named_parameters(), strict=True)
        gradients = torch.autograd.grad(total, parameters)
    idle = {name for name, gradient in zip(names, gradients, strict=True) if gradient.abs().max() < 1e-6}
    assert idle <= {name for name in names if name.endswith(_WITHOUT_EFFECT)}


def test_each_matte_spans_zero_to_one(ours: InSPyReNet) -> None:
    mattes = ours(as_inputs(["astronaut", "coffee"], 64, 64))
    assert mattes.amin((1, 2, 3)).tolist() == [0, 0]
    assert mattes.amax((1, 2, 3)).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("size", [(384, 400), (100, 64)])
def test_a_side_that_is_no_multiple_of_32_is_refused(ours: InSPyReNet, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        ours(torch.zeros(1, 3, *size))
