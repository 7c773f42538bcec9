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
from gpu_worker.engines.inspyrenet import InSPyReNetEngine
from gpu_worker.engines.models import MODELS, InSPyReNetModel
from gpu_worker.engines.openvino import OpenVinoEngine
from gpu_worker.engines.recording import RecordedInSPyReNet
from gpu_worker.pack import Origin, pack
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


def _start(packed: Weights, precision: Precision = "f32") -> Engine:
    return load_engine(packed, device="cpu", precision=precision, backend="openvino")


@pytest.fixture(scope="module")
def engine(packed: Weights) -> Engine:
    return _start(packed)


@pytest.fixture(scope="module")
def expected(original: Any) -> Tensor:
    """The original's matte of one photo."""
    with torch.no_grad():
        matte: Tensor = original(as_inputs(["astronaut"], 384, 384))[0, 0]
    assert matte.std() > 0.1, "a flat matte would agree with everything"
    return matte


def _difference(engine: Engine, expected: Tensor) -> Tensor:
    (matte,) = engine.infer([as_inputs(["astronaut"], 384, 384)[0].numpy()])
    return (torch.from_numpy(matte) - expected).abs()


def test_at_384_px_the_matte_is_the_originals(engine: Engine, expected: Tensor) -> None:
    assert _difference(engine, expected).max() <= 1e-4


def test_windows_that_are_padded_are_recorded_too(packed: Weights, tmp_path: Path) -> None:
    """At 384 px none is; at 128 px, as at 1024 px, some are. The same photo in torch is what it is compared with."""
    model = MODELS["inspyrenet-fast"]
    assert isinstance(model, InSPyReNetModel)
    small = replace(model, preprocessing=replace(model.preprocessing, side=128))
    graph = RecordedInSPyReNet(packed, small)
    compiled = OpenVinoEngine(packed, small.preprocessing, graph, device="cpu", cache=tmp_path)
    direct = InSPyReNetEngine(packed, small, device="cpu")
    image = direct.prepare(np.asarray(photo("coffee")))
    (matte,), (expected,) = compiled.infer([image]), direct.infer([image])
    assert expected.std() > 0.1, "a flat matte would agree with everything"
    assert np.abs(matte - expected).max() <= 1e-4


def test_the_next_start_needs_nothing_but_what_was_compiled(engine: Engine, packed: Weights, expected: Tensor) -> None:
    with mock.patch("gpu_worker.engines.recording.RecordedInSPyReNet.read", side_effect=AssertionError):
        again = _start(packed)
    assert again.model == engine.model
    assert torch.equal(_difference(again, expected), _difference(engine, expected))


def test_bfloat16_is_as_near_as_torchs_own_mixed_precision(
    packed: Weights, original: Any, engine: Engine, expected: Tensor
) -> None:
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        mixed = original(as_inputs(["astronaut"], 384, 384))[0, 0].float()
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
        engine.infer([np.full((3, 384, 384), np.nan, np.float32)])
