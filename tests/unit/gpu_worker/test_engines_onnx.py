"""A graph in ONNX runs as its model declares it, in ONNX Runtime and in OpenVINO."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gpu_worker.engines import NetworkFailedError, model_id
from gpu_worker.engines.models import OnnxModel
from gpu_worker.engines.onnx import OnnxEngine
from gpu_worker.engines.openvino import OnnxGraph, OpenVinoEngine
from gpu_worker.engines.preprocessing import Preprocessing
from gpu_worker.weights import Manifest, Weights, WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gpu_worker.engines import Engine

    Start = Callable[[Weights, OnnxModel], Engine]

_SIDE = 32
_MODEL = OnnxModel(
    version=1,
    preprocessing=Preprocessing(_SIDE, divisor=255, mean=(0.2, 0.2, 0.2), scale=(1, 1, 1)),
    input="image",
    output="matte",
    stretched=False,
)


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _field(number: int, value: int | bytes | str) -> bytes:
    """One field of a Protocol Buffers message: a varint, or bytes, text or a message with their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _tensor_of_floats(name: str, shape: list[int]) -> bytes:
    """An ONNX ValueInfoProto."""
    dimensions = b"".join(_field(1, _field(1, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, dimensions)))


def _red_channel() -> bytes:
    """An ONNX ModelProto: a convolution of one pixel, `image` (1, 3, 32, 32) -> its first channel as `matte`."""
    kernel = b"".join(_field(1, size) for size in (1, 3, 1, 1)) + _field(2, 1)
    kernel += _field(8, "kernel") + _field(9, struct.pack("<3f", 1, 0, 0))
    node = _field(1, "image") + _field(1, "kernel") + _field(2, "matte") + _field(4, "Conv")
    graph = _field(1, node) + _field(2, "red") + _field(5, kernel)
    graph += _field(11, _tensor_of_floats("image", [1, 3, _SIDE, _SIDE]))
    graph += _field(12, _tensor_of_floats("matte", [1, 1, _SIDE, _SIDE]))
    return _field(1, 8) + _field(8, _field(2, 13)) + _field(7, graph)


@pytest.fixture
def weights(tmp_path: Path) -> Weights:
    path = tmp_path / "red.onnx"
    path.write_bytes(_red_channel())
    return Weights(
        Manifest(
            name="isnet-medium",
            file=path.name,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            bytes=path.stat().st_size,
            source="a test",
            licence="none",
            obtained="made up",
        ),
        path,
    )


def _in_onnxruntime(weights: Weights, model: OnnxModel) -> Engine:
    return OnnxEngine(weights, model, device="cpu", threads=1)


def _in_openvino(weights: Weights, model: OnnxModel) -> Engine:
    return OpenVinoEngine(weights, model.preprocessing, OnnxGraph(weights, model), device="cpu", threads=1)


@pytest.fixture(params=[_in_onnxruntime, _in_openvino])
def start(request: pytest.FixtureRequest) -> Start:
    chosen: Start = request.param
    return chosen


@pytest.fixture
def engine(weights: Weights, start: Start) -> Engine:
    return start(weights, _MODEL)


def _photo(left: int, right: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """(64, 96, 3), its halves of different red."""
    rgb = np.zeros((64, 96, 3), np.uint8)
    rgb[:, :48, 0], rgb[:, 48:, 0] = left, right
    return rgb


def test_a_photo_goes_through_to_its_alpha(engine: Engine) -> None:
    (matte,) = engine.infer([engine.prepare(_photo(255, 51))])
    assert matte.shape == (_SIDE, _SIDE)
    assert matte.dtype == np.float32
    assert matte[0, [0, -1]].tolist() == pytest.approx([0.8, 0], abs=1e-6)
    alpha = engine.finish(matte, 96, 64)
    assert alpha.shape == (64, 96)
    assert alpha.dtype == np.uint8
    assert alpha[:, [0, -1]].tolist() == [[204, 0]] * 64


def test_several_photos_get_their_own_mattes_one_after_the_other(engine: Engine) -> None:
    assert engine.largest_batch == 1
    first, second = (engine.infer([engine.prepare(_photo(red, red))])[0] for red in (255, 102))
    assert first.mean() == pytest.approx(0.8)
    assert second.mean() == pytest.approx(0.2)


def test_more_than_one_photo_at_once_is_refused(engine: Engine) -> None:
    image = engine.prepare(_photo(0, 0))
    with pytest.raises(ValueError, match="2 images, but at most 1 at once"):
        engine.infer([image, image])


def test_a_matte_stays_within_zero_and_one(engine: Engine) -> None:
    (matte,) = engine.infer([np.linspace(-1, 2, 3 * _SIDE * _SIDE, dtype=np.float32).reshape(3, _SIDE, _SIDE)])
    assert matte.min() == 0
    assert matte.max() <= 1


def test_a_matte_is_stretched_where_the_model_says_so(weights: Weights, start: Start) -> None:
    engine = start(weights, dataclasses.replace(_MODEL, stretched=True))
    (matte,) = engine.infer([engine.prepare(_photo(100, 60))])
    assert (matte.min(), matte.max()) == (0, pytest.approx(1))


def test_a_matte_that_is_not_finite_is_a_failure_of_the_network(engine: Engine) -> None:
    with pytest.raises(NetworkFailedError):
        engine.infer([np.full((3, _SIDE, _SIDE), np.nan, np.float32)])


def test_a_photo_smaller_than_the_matte_gets_the_mean_of_it(engine: Engine) -> None:
    checks = np.indices((_SIDE, _SIDE)).sum(axis=0) % 2
    assert np.abs(engine.finish(checks.astype(np.float32), 4, 4).astype(int) - 127).max() <= 2


@pytest.mark.parametrize(
    ("declared", "name"),
    [(dataclasses.replace(_MODEL, input="picture"), "picture"), (dataclasses.replace(_MODEL, output="mask"), "mask")],
)
def test_a_graph_without_the_declared_input_or_output_is_refused(
    weights: Weights, start: Start, declared: OnnxModel, name: str
) -> None:
    with pytest.raises(WeightsError, match=rf"red\.onnx: '{name}' is None, not \[1, "):
        start(weights, declared)


def test_a_graph_of_another_size_is_refused(weights: Weights, start: Start) -> None:
    larger = dataclasses.replace(_MODEL.preprocessing, side=64)
    with pytest.raises(WeightsError, match=r"'image' is \[1, 3, 32, 32\], not \[1, 3, 64, 64\]"):
        start(weights, dataclasses.replace(_MODEL, preprocessing=larger))


def test_a_file_of_something_else_is_refused_by_path(weights: Weights, start: Start) -> None:
    weights.path.write_bytes(b"the weights")
    with pytest.raises(WeightsError, match=r"red\.onnx: not a network in ONNX"):
        start(weights, _MODEL)


def test_engines_say_what_they_are(weights: Weights) -> None:
    runtime, compiled = _in_onnxruntime(weights, _MODEL), _in_openvino(weights, _MODEL)
    assert (runtime.name, runtime.model, runtime.device) == ("isnet-medium", model_id(weights), "cpu")
    assert (compiled.name, compiled.device, compiled.side) == ("isnet-medium", "cpu", _SIDE)
    assert compiled.model == model_id(weights, "f32", "openvino") == f"isnet-medium-{weights.sha256[:12]}-ovf32-p1"


class Unreadable(OnnxGraph):
    """Of a file that nobody may open any more."""

    def read(self) -> Any:
        raise AssertionError("compiled again")


def _red(engine: Engine) -> float:
    (matte,) = engine.infer([engine.prepare(_photo(255, 255))])
    return float(matte.mean())


def _cached(weights: Weights, graph: type[OnnxGraph], cache: Path) -> Engine:
    return OpenVinoEngine(weights, _MODEL.preprocessing, graph(weights, _MODEL), device="cpu", cache=cache)


def test_openvino_starts_again_from_what_it_compiled(weights: Weights, tmp_path: Path) -> None:
    first, again = (_cached(weights, graph, tmp_path / "cache") for graph in (OnnxGraph, Unreadable))
    assert _red(first) == _red(again) == pytest.approx(0.8)


def test_openvino_keeps_what_it_compiled_beside_the_weights_unless_told(weights: Weights) -> None:
    model = _in_openvino(weights, _MODEL).model
    assert [path.name.startswith(model) for path in weights.path.parent.glob("*.blob")] == [True]


@pytest.mark.parametrize("kept", [1, 20, 0.5, 0.99])
def test_openvino_compiles_again_what_was_cut_off(
    weights: Weights, tmp_path: Path, caplog: pytest.LogCaptureFixture, kept: float
) -> None:
    _cached(weights, OnnxGraph, tmp_path / "cache")
    (blob,) = (tmp_path / "cache").iterdir()
    whole = blob.read_bytes()
    blob.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    assert _red(_cached(weights, OnnxGraph, tmp_path / "cache")) == pytest.approx(0.8)
    assert [record.message for record in caplog.records] == ["compiled_network_unusable"]
    assert _red(_cached(weights, Unreadable, tmp_path / "cache")) == pytest.approx(0.8)


def test_openvino_starts_where_nothing_can_be_kept(
    weights: Weights, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_bytes(b"")
    assert _red(_cached(weights, OnnxGraph, tmp_path / "cache")) == pytest.approx(0.8)
    assert "compiled_network_not_kept" in [record.message for record in caplog.records]
