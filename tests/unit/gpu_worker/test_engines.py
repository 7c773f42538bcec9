"""The factory, the ids of models, and the preprocessing that they declare."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from gpu_worker.engines import EngineUnavailableError, load_engine, model_id
from gpu_worker.engines.models import MODELS
from gpu_worker.engines.preprocessing import Preprocessing
from gpu_worker.weights import Manifest, Weights, WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_worker.weights import Precision

_SHA256 = hashlib.sha256(b"the weights").hexdigest()


def _weights(folder: Path, name: str, *, content: bytes = b"the weights", precision: Precision = "f32") -> Weights:
    path = folder / "weights.bin"
    path.write_bytes(content)
    manifest = Manifest(
        name=name,
        file=path.name,
        sha256=_SHA256,
        bytes=11,
        source="a test",
        licence="none",
        obtained="made up",
        precision=precision,
    )
    return Weights(manifest, path)


@pytest.mark.parametrize("name", MODELS)
def test_a_models_id_tells_weights_precision_and_preprocessing(tmp_path: Path, name: str) -> None:
    identifier = model_id(_weights(tmp_path, name))
    assert identifier == f"{name}-{_SHA256[:12]}-f32-p1"
    assert re.fullmatch("[a-z0-9-]+", identifier)


def test_a_models_id_tells_the_precision_that_was_asked_for(tmp_path: Path) -> None:
    assert model_id(_weights(tmp_path, "inspyrenet-fast"), "bf16").endswith("-bf16-p1")


def test_a_precision_that_a_network_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="in f32, computes in f32, not in bf16"):
        load_engine(_weights(tmp_path, "isnet-medium"), device="cpu", precision="bf16")


def test_a_models_id_tells_the_backend_that_was_asked_for(tmp_path: Path) -> None:
    assert model_id(_weights(tmp_path, "inspyrenet-fast"), "bf16", "openvino").endswith("-ovbf16-p1")


@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_openvino_computes_in_no_float16_and_nothing_else_with_weights_in_it(
    tmp_path: Path, precision: Precision
) -> None:
    weights = _weights(tmp_path, "inspyrenet-fast", precision=precision)
    with pytest.raises(EngineUnavailableError, match="not in f16"):
        load_engine(weights, device="cpu", precision="f16", backend="openvino")


@pytest.mark.parametrize("name", MODELS)
def test_openvino_is_refused_on_another_device(tmp_path: Path, name: str) -> None:
    with pytest.raises(EngineUnavailableError, match="told to run on 'cuda', but OpenVINO"):
        load_engine(_weights(tmp_path, name), device="cuda", backend="openvino")


@pytest.mark.parametrize("name", MODELS)
def test_openvino_is_refused_where_it_is_not_installed(tmp_path: Path, name: str) -> None:
    weights = _weights(tmp_path, name)
    program = f"""
import sys
from pathlib import Path
from gpu_worker.engines import EngineUnavailableError, load_engine
from gpu_worker.weights import Manifest, Weights
import msgspec
sys.modules["openvino"] = None
manifest = msgspec.json.decode({msgspec.json.encode(weights.manifest)!r}, type=Manifest)
try:
    load_engine(Weights(manifest, Path({str(weights.path)!r})), device="cpu", backend="openvino")
except EngineUnavailableError as error:
    print(error.message)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install -r requirements/openvino.txt" in result.stdout


def test_openvino_reports_to_nobody() -> None:
    program = "import sys, gpu_worker.engines.openvino; print(sys.modules['openvino_telemetry'])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "None\n"


def test_no_float32_is_made_of_weights_that_were_rounded(tmp_path: Path) -> None:
    weights = _weights(tmp_path, "inspyrenet-fast", precision="bf16")
    with pytest.raises(EngineUnavailableError, match=r"weights\.bin, in bf16, computes in bf16, not in f32"):
        load_engine(weights, device="cpu")


def test_weights_that_no_engine_runs_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="no engine runs 'u2net', only inspyrenet-base"):
        load_engine(_weights(tmp_path, "u2net"), device="cpu")


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_verified_before_they_are_loaded(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match=f"expected {_SHA256}"):
        load_engine(_weights(tmp_path, name, content=b"The weights"), device="cpu")


@pytest.mark.parametrize("name", MODELS)
def test_cuda_is_refused_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(EngineUnavailableError, match=r"told to run on '?cuda'?, but"):
        load_engine(_weights(tmp_path, name), device="cuda")


@pytest.mark.parametrize("name", MODELS)
def test_an_unknown_device_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(EngineUnavailableError, match="'tpu'"):
        load_engine(_weights(tmp_path, name), device="tpu")


@pytest.mark.parametrize("name", MODELS)
def test_a_file_of_something_else_is_refused_by_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match=r"weights\.bin: not a"):
        load_engine(_weights(tmp_path, name), device="cpu")


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("gpu_worker.engines", {"torch", "onnxruntime"}),
        ("gpu_worker.weights", {"torch", "onnxruntime"}),
        ("gpu_worker.weights.__main__", {"torch", "onnxruntime"}),
        ("gpu_worker.engines.onnx", {"torch", "openvino"}),
        ("gpu_worker.engines.openvino", {"torch", "onnxruntime"}),
        ("gpu_worker.engines.inspyrenet", {"onnxruntime", "openvino"}),
    ],
)
def test_one_runtime_never_brings_the_other(module: str, unwanted: set[str]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert unwanted.isdisjoint(result.stdout.split())


def test_preprocessing_resizes_and_scales_each_channel() -> None:
    preprocessing = Preprocessing(4, divisor=255, mean=(0.5, 0, 0), scale=(0.5, 1, 2))
    prepared = preprocessing.apply(np.full((3, 7, 3), (255, 51, 0), np.uint8))
    assert prepared.shape == (3, 4, 4)
    assert prepared.dtype == np.float32
    np.testing.assert_array_equal(prepared[:, 0, 0], np.array([1, 0.2, 0], np.float32))
    assert (np.ptp(prepared, axis=(1, 2)) == 0).all()


def test_isnet_reads_pixels_less_128_over_256() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
    prepared = MODELS["isnet-medium"].preprocessing.apply(rgb)
    np.testing.assert_array_equal(prepared, (rgb.transpose(2, 0, 1).astype(np.float32) - 128) / 256)


def test_preprocessing_resizes_as_pillow_does() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    plain = Preprocessing(32, divisor=1, mean=(0, 0, 0), scale=(1, 1, 1)).apply(rgb)
    expected = np.asarray(Image.fromarray(rgb).resize((32, 32), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(plain, expected.transpose(2, 0, 1))
