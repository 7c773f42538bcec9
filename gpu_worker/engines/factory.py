"""The one place that knows which engine runs which model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from gpu_worker.engines.models import InSPyReNetModel, model_of

if TYPE_CHECKING:
    from gpu_worker.engines.base import Engine
    from gpu_worker.weights import Precision, Weights

__all__ = ["load_engine"]


def load_engine(weights: Weights, *, device: str, precision: Precision = "f32", threads: int | None = None) -> Engine:
    """The engine that runs these weights on `device` (`cpu`, `cuda`) in `precision`, after their digest was checked.

    `threads` on the CPU for one pass; None leaves the choice to the runtime. Raises `WeightsError` for weights that
    are not what their manifest says, `EngineUnavailableError` for a device that is not there or a precision that is
    not theirs.
    """
    model = model_of(weights)
    with ThreadPoolExecutor(1, "verify") as beside:
        # Hashing lets other threads run, and takes less time than the imports: no start waits for it.
        verified = beside.submit(weights.verify)
        if isinstance(model, InSPyReNetModel):
            from gpu_worker.engines.inspyrenet import InSPyReNetEngine  # noqa: PLC0415  # torch only where it runs

            verified.result()
            return InSPyReNetEngine(weights, model, device=device, precision=precision, threads=threads)
        from gpu_worker.engines.onnx import OnnxEngine  # noqa: PLC0415  # ONNX Runtime only where it runs

        verified.result()
        return OnnxEngine(weights, model, device=device, precision=precision, threads=threads)
