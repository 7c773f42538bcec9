"""One original network with random weights, for all the tests here."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from tests.parity.calibration import calibrate
from tests.parity.photos import as_inputs
from tests.parity.reference import reference_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="package")
def calibrated() -> Callable[[int], Any]:
    """Makes the original network for a base size, with random weights; the same ones every time."""

    def make(base_size: int) -> Any:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = reference_network(base_size)
        calibrate(network, as_inputs(["astronaut", "coffee"], 384, 384), seed=0)
        return network

    return make


@pytest.fixture(scope="package")
def original(calibrated: Callable[[int], Any]) -> Any:
    """The original network of the `fast` checkpoint's size, 384. Not to be changed."""
    return calibrated(384)


@pytest.fixture(scope="package")
def checkpoint(original: Any) -> Iterator[Path]:
    """The original's weights, stored as the official checkpoints are."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint.pth")
        torch.save(original.state_dict(), path)
        yield path
