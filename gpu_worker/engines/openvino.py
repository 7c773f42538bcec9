"""Networks on the CPU in OpenVINO: a compiler of its own, which keeps what it made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from gpu_worker.engines.base import EngineUnavailableError, NetworkFailedError
from gpu_worker.engines.blobs import Blob
from gpu_worker.engines.declared import alpha_of, demand_declared, matte_of
from gpu_worker.engines.models import model_id
from gpu_worker.engines.quiet_openvino import openvino
from gpu_worker.weights import WeightsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gpu_worker.engines.models import OnnxModel
    from gpu_worker.engines.preprocessing import Preprocessing
    from gpu_worker.weights import Precision, Weights

__all__ = ["Graph", "OnnxGraph", "OpenVinoEngine"]

_DEVICE: Final = "CPU"
_CAPABILITIES: Final = {"f32": "FP32", "bf16": "BF16"}


class Graph(Protocol):
    """A network for OpenVINO, and what belongs to it."""

    def read(self) -> openvino.Model:
        """One image (1, 3, side, side) float32 -> one output (1, 1, side, side). Raises `WeightsError`."""

    def matte(self, output: NDArray[np.float32]) -> NDArray[np.float32]:
        """A finite output, (side, side), as a matte in [0, 1]."""

    def finish(self, matte: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
        """A matte -> alpha of the photo, (height, width), 0 to 255."""


class OpenVinoEngine:
    """An `Engine`. One image at a time, on `threads` threads or as many as OpenVINO thinks best."""

    device = "cpu"
    largest_batch = 1

    def __init__(
        self,
        weights: Weights,
        preprocessing: Preprocessing,
        graph: Graph,
        *,
        device: str,
        precision: Precision = "f32",
        threads: int | None = None,
        cache: Path | None = None,
    ) -> None:
        """`cache`: the folder of compiled networks; None for that of the weights."""
        self.name = weights.name
        self.model = model_id(weights, precision, "openvino")
        self.side = preprocessing.side
        self._preprocessing = preprocessing
        self._graph = graph
        core = openvino.Core()
        _demand(core, device, precision)
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads or 0,
            "PERFORMANCE_HINT": "LATENCY",
        }
        blob = Blob(cache or weights.path.parent, self.model, core.get_property(_DEVICE, "FULL_DEVICE_NAME"))
        self._network = _compiled(core, graph, blob, settings)

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._preprocessing.apply(rgb)

    def probe(self) -> NDArray[np.float32]:
        return self._preprocessing.grey()

    def infer(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        if len(inputs) > self.largest_batch:
            raise ValueError(f"{len(inputs)} images, but at most {self.largest_batch} at once")
        return [self._matte(image) for image in inputs]

    def _matte(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        output: NDArray[np.float32] = self._network(image[None])[0][0, 0]
        if not np.isfinite(output).all():
            raise NetworkFailedError("the network's matte is not finite", device=self.device)
        return self._graph.matte(output)

    def finish(self, matte: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
        return self._graph.finish(matte, width, height)


class OnnxGraph:
    """A `Graph` read from a file in ONNX."""

    def __init__(self, weights: Weights, model: OnnxModel) -> None:
        self._weights = weights
        self._model = model

    def read(self) -> openvino.Model:
        path = self._weights.path
        try:
            graph = openvino.Core().read_model(path)
        except RuntimeError as error:
            raise WeightsError(f"{path}: not a network in ONNX: {error}", path=str(path)) from error
        ends = (*graph.inputs, *graph.outputs)
        demand_declared(self._weights, self._model, {end.any_name: list(end.shape) for end in ends})
        return graph

    def matte(self, output: NDArray[np.float32]) -> NDArray[np.float32]:
        return matte_of(self._model, output)

    def finish(self, matte: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
        return alpha_of(self._model, matte, width, height)


def _demand(core: openvino.Core, device: str, precision: Precision) -> None:
    """Raise `EngineUnavailableError` where OpenVINO would compute elsewhere, or in another precision, than told."""
    if device != "cpu":
        raise EngineUnavailableError(f"told to run on {device!r}, but OpenVINO is used on the cpu only", device=device)
    if _CAPABILITIES[precision] not in core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES"):
        raise EngineUnavailableError(f"this processor does not compute in {precision}", precision=precision)


def _compiled(core: openvino.Core, graph: Graph, blob: Blob, settings: dict[str, Any]) -> openvino.CompiledModel:
    """From the cache if it is there and whole, else compiled and stored."""
    kept = blob.read()
    if kept is not None:
        try:
            return core.import_model(openvino.Tensor(kept), _DEVICE, settings)
        except RuntimeError as error:
            blob.distrust(error)
    network = core.compile_model(graph.read(), _DEVICE, settings)
    blob.write(network.export_model().getbuffer())
    return network
