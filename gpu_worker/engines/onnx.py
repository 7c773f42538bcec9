"""Any network in ONNX that an `OnnxModel` declares, in ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf

from gpu_worker.engines.base import EngineUnavailableError, NetworkFailedError
from gpu_worker.engines.declared import alpha_of, demand_declared, matte_of
from gpu_worker.engines.models import model_id
from gpu_worker.weights import WeightsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gpu_worker.engines.models import OnnxModel
    from gpu_worker.weights import Precision, Weights

__all__ = ["OnnxEngine"]

_PROVIDERS: Final = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_BAD_FILES: Final = (Fail, InvalidGraph, InvalidProtobuf)


class OnnxEngine:
    """An `Engine`. One image at a time: the graphs are exported for a batch of one."""

    largest_batch = 1

    def __init__(
        self,
        weights: Weights,
        model: OnnxModel,
        *,
        device: str,
        precision: Precision = "f32",
        threads: int | None = None,
    ) -> None:
        self.name = weights.name
        self.model = model_id(weights, precision)
        self.device = device
        self.side = model.preprocessing.side
        self._declared = model
        self._session = _start(weights, device, threads)
        nodes = (*self._session.get_inputs(), *self._session.get_outputs())
        demand_declared(weights, model, {node.name: node.shape for node in nodes})

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._declared.preprocessing.apply(rgb)

    def probe(self) -> NDArray[np.float32]:
        return self._declared.preprocessing.grey()

    def infer(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        if len(inputs) > self.largest_batch:
            raise ValueError(f"{len(inputs)} images, but at most {self.largest_batch} at once")
        return [self._matte(image) for image in inputs]

    def _matte(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        (output,) = self._session.run([self._declared.output], {self._declared.input: image[None]})
        matte: NDArray[np.float32] = output[0, 0]
        if not np.isfinite(matte).all():
            raise NetworkFailedError("the network's matte is not finite", device=self.device)
        return matte_of(self._declared, matte)

    def finish(self, matte: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
        return alpha_of(self._declared, matte, width, height)


def _start(weights: Weights, device: str, threads: int | None) -> onnxruntime.InferenceSession:
    """A session that runs on `device`, not merely one that was asked to: ONNX Runtime falls back silently."""
    provider = _PROVIDERS.get(device)
    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise EngineUnavailableError(
            f"told to run on {device!r}, but ONNX Runtime has only {', '.join(available)} here", device=device
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    try:
        session = onnxruntime.InferenceSession(weights.path, options, providers=[provider])
    except _BAD_FILES as error:
        raise WeightsError(f"{weights.path}: not a network in ONNX: {error}", path=str(weights.path)) from error
    if session.get_providers()[0] != provider:
        raise EngineUnavailableError(f"ONNX Runtime could not start on {device}", device=device)
    return session
