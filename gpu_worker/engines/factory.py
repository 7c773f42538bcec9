"""The one place that knows which engine runs which model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_worker.engines.models import InSPyReNetModel, model_of

if TYPE_CHECKING:
    from gpu_worker.engines.base import Engine
    from gpu_worker.weights import Weights

__all__ = ["load_engine"]


def load_engine(weights: Weights, *, device: str, threads: int | None = None) -> Engine:
    """The engine that runs these weights on `device` (`cpu`, `cuda`), after their digest was checked.

    `threads` on the CPU for one pass; None leaves the choice to the runtime. Raises `WeightsError` for weights that
    are not what their manifest says, `EngineUnavailableError` for a device that is not there.
    """
    model = model_of(weights)
    weights.verify()
    if isinstance(model, InSPyReNetModel):
        from gpu_worker.engines.inspyrenet import InSPyReNetEngine  # noqa: PLC0415  # torch only where it runs

        return InSPyReNetEngine(weights, model, device=device, threads=threads)
    from gpu_worker.engines.onnx import OnnxEngine  # noqa: PLC0415  # ONNX Runtime only where it runs

    return OnnxEngine(weights, model, device=device, threads=threads)
