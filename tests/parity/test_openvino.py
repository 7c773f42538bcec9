"""What OpenVINO computes from the recorded network are the original's mattes."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pytest
import torch

from gpu_worker.engines import NetworkFailedError, load_engine
from gpu_worker.engines.models import MODELS
from gpu_worker.pack import Origin, pack
from tests.parity.conftest import SIDE
from tests.parity.photos import as_inputs, photo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from gpu_worker.engines import Engine
    from gpu_worker.weights import Precision, Weights


@pytest.fixture(scope="module")
def packed(checkpoint: Path) -> Iterator[Weights]:
    with tempfile.TemporaryDirectory() as folder:
        yield pack(checkpoint, Path(folder), Origin("inspyrenet-fast", "a test", "being made here"))


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """The model of the `fast` checkpoint at `SIDE`, where the compiler is done sooner than at 384 px."""
    model = MODELS["inspyrenet-fast"]
    small = replace(model, preprocessing=replace(model.preprocessing, side=SIDE))
    with mock.patch("gpu_worker.engines.models.MODELS", {"inspyrenet-fast": small}):
        yield


def _start(packed: Weights, precision: Precision = "f32") -> Engine:
    return load_engine(packed, device="cpu", precision=precision, backend="openvino")


@pytest.fixture(scope="module")
def engine(packed: Weights) -> Engine:
    return _start(packed)


@pytest.fixture(scope="module")
def expected(original: Any) -> Tensor:
    """The original's matte of one photo."""
    with torch.no_grad():
        matte: Tensor = original(as_inputs(["astronaut"], SIDE, SIDE))[0, 0]
    assert matte.std() > 0.1, "a flat matte would agree with everything"
    return matte


def _difference(engine: Engine, expected: Tensor) -> Tensor:
    (matte,) = engine.infer([as_inputs(["astronaut"], SIDE, SIDE)[0].numpy()])
    return (torch.from_numpy(matte) - expected).abs()


def test_the_matte_is_the_originals(engine: Engine, expected: Tensor) -> None:
    assert _difference(engine, expected).max() <= 1e-4


def test_the_next_start_needs_nothing_but_what_was_compiled(engine: Engine, packed: Weights, expected: Tensor) -> None:
    with mock.patch("gpu_worker.engines.recording.RecordedInSPyReNet.read", side_effect=AssertionError):
        again = _start(packed)
    assert again.model == engine.model
    assert torch.equal(_difference(again, expected), _difference(engine, expected))


def test_bfloat16_is_as_near_as_torchs_own_mixed_precision(
    packed: Weights, original: Any, engine: Engine, expected: Tensor
) -> None:
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        mixed = original(as_inputs(["astronaut"], SIDE, SIDE))[0, 0].float()
    rounded = _start(packed, "bf16")
    assert rounded.model.endswith("-ovbf16-p1")
    assert 0 < _difference(rounded, expected).mean() <= 1.5 * (mixed - expected).abs().mean()


def test_the_alpha_is_that_of_torch(engine: Engine, packed: Weights) -> None:
    rgb = np.asarray(photo("coffee"))
    alphas = []
    for each in (engine, load_engine(packed, device="cpu")):
        (matte,) = each.infer([each.prepare(rgb)])
        alphas.append(each.finish(matte, rgb.shape[1], rgb.shape[0]).astype(int))
    assert alphas[0].shape == rgb.shape[:2]
    assert np.abs(alphas[0] - alphas[1]).max() <= 1


def test_a_matte_that_is_not_finite_is_a_failure_of_the_network(engine: Engine) -> None:
    with pytest.raises(NetworkFailedError):
        engine.infer([np.full((3, SIDE, SIDE), np.nan, np.float32)])
