"""One original network with random weights, for all the tests here."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import torch

from tests.parity.calibration import calibrate
from tests.parity.photos import as_inputs
from tests.parity.reference import reference_network

if TYPE_CHECKING:
    from collections.abc import Iterator


SIDE: Final = 128
"""Pixels. Windows are padded at that size, as they are at 1024 px."""


@pytest.fixture(scope="package")
def original() -> Any:
    """The original network for a base size of `SIDE`, with random weights; the same ones every time.

    Not to be changed.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = reference_network(SIDE)
    calibrate(network, as_inputs(["astronaut", "coffee"], SIDE, SIDE), seed=0)
    return network


@pytest.fixture(scope="package")
def checkpoint(original: Any) -> Iterator[Path]:
    """The original's weights, stored as the official checkpoints are."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint.pth")
        torch.save(original.state_dict(), path)
        yield path
