"""InSPyReNet in torch, on the CPU or an NVIDIA GPU, with the alpha that `transparent-background` would give."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch.nn import functional

from gpu_worker.engines.base import BatchTooLargeError, EngineUnavailableError, NetworkFailedError
from gpu_worker.engines.memory import measured_batch
from gpu_worker.engines.models import model_id
from gpu_worker.inspyrenet.lean import DTYPES, LeanNetwork, cast, flushed_denormals, layers_for, read_packed
from gpu_worker.weights import WeightsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gpu_worker.engines.models import InSPyReNetModel
    from gpu_worker.weights import Precision, Weights

__all__ = ["InSPyReNetEngine", "alpha_of", "demand_device", "tensors_of"]


_PROBE_SIDE: Final = 96
"""px: three of the pixels that the last stage has, the least with neighbours on all sides."""


class InSPyReNetEngine:
    """An `Engine`. Computes in `precision` throughout; sets the process's number of torch threads if told."""

    def __init__(
        self,
        weights: Weights,
        model: InSPyReNetModel,
        *,
        device: str,
        precision: Precision = "f32",
        threads: int | None = None,
    ) -> None:
        demand_device(device)
        if threads is not None:
            torch.set_num_threads(threads)
        self.name = weights.name
        self.model = model_id(weights, precision)
        self.device = device
        self.side = model.preprocessing.side
        self._preprocessing = model.preprocessing
        self._network = _network(weights, precision, device, model.preprocessing.side)
        self.largest_batch = self._measured_batch(model.largest_batch) if device == "cuda" else 1

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._preprocessing.apply(rgb)

    def probe(self) -> NDArray[np.float32]:
        """On a CPU a corner of the input: every layer and weight takes part in that too, in far less time.

        A GPU chooses its kernels by the size, and loads them then.
        """
        whole = self._preprocessing.grey()
        return whole if self.device == "cuda" else whole[:, :_PROBE_SIDE, :_PROBE_SIDE]

    def infer(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        if len(inputs) > self.largest_batch:
            raise ValueError(f"{len(inputs)} images, but at most {self.largest_batch} at once")
        if not inputs:
            return []
        mattes = self._pass_that_fits(np.stack(inputs))
        if not np.isfinite(mattes).all():
            raise NetworkFailedError("the network's matte is not finite", device=self.device)
        return list(mattes)

    def _pass_that_fits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with suppress(torch.OutOfMemoryError):
            return self._pass(batch)
        # Only out here: within `except`, the error holds on to the tensors of the failed pass.
        torch.cuda.empty_cache()
        raise BatchTooLargeError(f"no memory for {len(batch)} images", batch=len(batch))

    def _measured_batch(self, largest: int) -> int:
        blank = np.zeros((1, 3, self.side, self.side), np.float32)
        return measured_batch(lambda: self._pass(blank), largest)

    @torch.inference_mode()
    def _pass(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, 3, side, side) -> (B, side, side)."""
        mattes: NDArray[np.float32] = self._network(torch.from_numpy(batch).to(self.device))[:, 0].cpu().numpy()
        return mattes

    def finish(self, matte: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
        return alpha_of(matte, width, height)


@torch.inference_mode()
def alpha_of(matte: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
    """A matte of InSPyReNet's, any size -> alpha of the photo, (height, width), 0 to 255."""
    size = (height, width)
    full = functional.interpolate(torch.from_numpy(matte)[None, None], size, mode="bilinear", align_corners=True)
    # Cut off, not rounded: as the original converts to 8 bits.
    alpha: NDArray[np.uint8] = full[0, 0].mul_(255).to(torch.uint8).numpy()
    return alpha


def tensors_of(weights: Weights) -> dict[str, torch.Tensor]:
    """The tensors of a packed file, mapped. Raises `WeightsError` where it is not what its manifest says."""
    header, tensors = read_packed(weights.path)
    if (header.model, header.precision) != (weights.name, weights.precision):
        raise WeightsError(
            f"{weights.path}: {header.model} in {header.precision}, but its manifest says {weights.name} in "
            f"{weights.precision}",
            path=str(weights.path),
        )
    return tensors


def _network(weights: Weights, precision: Precision, device: str, side: int) -> LeanNetwork:
    dtype = DTYPES[precision]
    with flushed_denormals():  # where the passes run in this thread too, its helpers are made here
        on_device = {name: tensor.to(device) for name, tensor in cast(tensors_of(weights), dtype).items()}
        return LeanNetwork(on_device, side, layers_for(device, dtype))


def demand_device(device: str) -> None:
    """Raise `EngineUnavailableError` unless torch can run there, and keep the GPU's convolutions in float32."""
    if device not in {"cpu", "cuda"}:
        raise EngineUnavailableError(f"device is cpu or cuda, not {device!r}", device=device)
    if device == "cuda":
        if not torch.cuda.is_available():
            raise EngineUnavailableError("told to run on cuda, but torch finds no GPU here", device=device)
        torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]  # torch puts it there at run time
