"""Any network in ONNX that an `OnnxModel` declares, in ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf
from PIL import Image

from gpu_worker.engines.base import EngineUnavailableError, NetworkFailedError
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
        _compare(weights, model, self._session)

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._declared.preprocessing.apply(rgb)

    def infer(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        if len(inputs) > self.largest_batch:
            raise ValueError(f"{len(inputs)} images, but at most {self.largest_batch} at once")
        return [self._matte(image) for image in inputs]

    def _matte(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        (output,) = self._session.run([self._declared.output], {self._declared.input: image[None]})
        matte: NDArray[np.float32] = output[0, 0]
        if not np.isfinite(matte).all():
            raise NetworkFailedError("the network's matte is not finite", device=self.device)
        if self._declared.stretched:
            matte = (matte - matte.min()) / (np.ptp(matte) + np.float32(1e-8))
        return matte.clip(0, 1)

    def finish(self, matte: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
        levels = np.rint(matte * 255).astype(np.uint8)
        resized = Image.fromarray(levels).resize((width, height), self._declared.preprocessing.resize)
        return np.array(resized)


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


def _compare(weights: Weights, model: OnnxModel, session: onnxruntime.InferenceSession) -> None:
    """Raise `WeightsError` unless the graph has the declared input and output."""
    side = model.preprocessing.side
    wanted = {model.input: [1, 3, side, side], model.output: [1, 1, side, side]}
    found = {node.name: node.shape for node in (*session.get_inputs(), *session.get_outputs())}
    for name, shape in wanted.items():
        if found.get(name) != shape:
            raise WeightsError(f"{weights.path}: {name!r} is {found.get(name)}, not {shape}", path=str(weights.path))
