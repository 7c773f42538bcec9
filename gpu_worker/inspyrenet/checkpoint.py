"""Checkpoints of InSPyReNet, read without running what is in them and loaded strictly."""

from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING, Final

import torch

from gpu_worker.inspyrenet.network import InSPyReNet
from gpu_worker.weights.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

__all__ = ["network_of", "read_checkpoint"]

_SHOWN: Final = 5
"""Problems named in an error; the rest is counted."""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a PyTorch checkpoint, which is a flat dict of tensors, on the CPU.

    Nothing in the checkpoint is executed. Raises `WeightsError` where it holds anything else.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise WeightsError(f"{path}: not a checkpoint of PyTorch: {error}", path=str(path)) from error
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise WeightsError(f"{path}: not a flat dict of tensors", path=str(path))
    return state


def network_of(state: Mapping[str, Tensor], base_size: int) -> InSPyReNet:
    """The network with copies of these weights, on the CPU.

    Raises `WeightsError` where tensors are missing, unknown, of another shape or type, or can't be those of a
    trained network.
    """
    network = InSPyReNet(base_size)
    problems = [*_misfits(state, network.state_dict())] or [*_degeneracies(state)]
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise WeightsError("not weights of InSPyReNet: " + "; ".join(problems[:_SHOWN]) + more, problems=problems)
    network.load_state_dict(state, strict=True)
    return network


def _misfits(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Iterator[str]:
    yield from (f"{name} is missing" for name in expected if name not in state)
    for name, tensor in state.items():
        if name not in expected:
            yield f"{name} is unknown"
        elif (tensor.shape, tensor.dtype) != (expected[name].shape, expected[name].dtype):
            found, wanted = (f"{t.dtype} {list(t.shape)}" for t in (tensor, expected[name]))
            yield f"{name} is {found}, not {wanted}"
        elif name.endswith("relative_position_index") and not torch.equal(tensor, expected[name]):
            yield f"{name} numbers the positions differently"


def _degeneracies(state: Mapping[str, Tensor]) -> Iterator[str]:
    """What a network that was trained and stored well never has."""
    trained = False
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            continue
        low, high = (float(bound) for bound in tensor.aminmax())
        if not math.isfinite(low) or not math.isfinite(high):
            yield f"{name} is not finite"
        elif tensor.ndim > 1 and low == high:
            yield f"{name} is {low} everywhere"
        elif name.endswith("running_var") and low <= 0:
            yield f"{name} is not positive"
        trained |= name.endswith("running_mean") and (low, high) != (0, 0)
    if not trained:
        yield "no batch norm has seen an image"
