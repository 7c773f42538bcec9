"""Weights load strictly, and what can't be a trained network is refused with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from gpu_worker.inspyrenet import network_of, read_checkpoint
from gpu_worker.weights import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    State = dict[str, Tensor]


@pytest.fixture
def state(original: Any) -> State:
    """A shallow copy: replace tensors, don't change them."""
    return dict(original.state_dict())


def test_the_tensors_are_the_originals_by_name_shape_and_type(original: Any, state: State) -> None:
    loaded = network_of(state, 384)
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in loaded.state_dict().items()} == {
        name: (tensor.shape, tensor.dtype) for name, tensor in state.items()
    }
    assert len(list(loaded.parameters())) == 986
    assert sum(parameter.numel() for parameter in loaded.parameters()) == 90_721_443
    assert len(state) == 1625


def test_a_checkpoint_loads_with_its_values(checkpoint: Path, state: State) -> None:
    loaded = network_of(read_checkpoint(checkpoint), 384).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


def test_a_missing_tensor_is_refused(state: State) -> None:
    del state["decoder.conv5.conv.weight"]
    with pytest.raises(WeightsError, match=r"decoder\.conv5\.conv\.weight is missing"):
        network_of(state, 384)


def test_an_unknown_tensor_is_refused(state: State) -> None:
    state["decoder.conv6.conv.weight"] = torch.zeros(1)
    with pytest.raises(WeightsError, match=r"decoder\.conv6\.conv\.weight is unknown"):
        network_of(state, 384)


def test_another_shape_is_refused(state: State) -> None:
    state["attention0.threshold"] = torch.zeros(2)
    with pytest.raises(WeightsError, match=r"attention0\.threshold is torch\.float32 \[2\], not torch\.float32 \[1\]"):
        network_of(state, 384)


def test_another_precision_is_refused(state: State) -> None:
    state["attention0.threshold"] = state["attention0.threshold"].half()
    with pytest.raises(WeightsError, match=r"attention0\.threshold is torch\.float16"):
        network_of(state, 384)


def test_another_numbering_of_positions_is_refused(state: State) -> None:
    name = "backbone.layers.0.blocks.0.attn.relative_position_index"
    state[name] = state[name].T.contiguous()
    with pytest.raises(WeightsError, match="numbers the positions differently"):
        network_of(state, 384)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(state: State, value: float) -> None:
    name = "backbone.layers.2.blocks.9.mlp.fc1.weight"
    state[name] = state[name].clone()
    state[name][3, 4] = value
    with pytest.raises(WeightsError, match=r"blocks\.9\.mlp\.fc1\.weight is not finite"):
        network_of(state, 384)


def test_an_empty_kernel_is_refused(state: State) -> None:
    state["context3.branch1.conv1.conv.weight"] = torch.zeros_like(state["context3.branch1.conv1.conv.weight"])
    with pytest.raises(WeightsError, match=r"context3\.branch1\.conv1\.conv\.weight is 0\.0 everywhere"):
        network_of(state, 384)


def test_a_variance_that_is_not_positive_is_refused(state: State) -> None:
    state["decoder.conv1.bn.running_var"] = torch.zeros_like(state["decoder.conv1.bn.running_var"])
    with pytest.raises(WeightsError, match=r"decoder\.conv1\.bn\.running_var is not positive"):
        network_of(state, 384)


def test_an_untrained_network_is_refused(state: State) -> None:
    for name, tensor in state.items():
        if name.endswith("running_mean"):
            state[name] = torch.zeros_like(tensor)
    with pytest.raises(WeightsError, match="no batch norm has seen an image"):
        network_of(state, 384)


def test_an_error_names_the_first_problems_and_counts_the_rest() -> None:
    with pytest.raises(WeightsError, match=r"is missing; and 1620 more$") as caught:
        network_of({}, 384)
    assert len(caught.value.data["problems"]) == 1625  # type: ignore[arg-type]  # data holds objects
