"""The one place that knows which engine runs which model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING

from gpu_worker.collection import without_collection
from gpu_worker.engines.importing import torch_for_inference
from gpu_worker.engines.models import InSPyReNetModel, model_id, model_of

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_worker.engines.base import Engine
    from gpu_worker.engines.models import Backend
    from gpu_worker.engines.openvino import Graph
    from gpu_worker.weights import Precision, Weights

__all__ = ["load_engine"]


def load_engine(
    weights: Weights,
    *,
    device: str,
    precision: Precision = "f32",
    threads: int | None = None,
    backend: Backend = "torch",
    cache: Path | None = None,
    inference_only: bool = False,
) -> Engine:
    """The engine that runs these weights on `device` (`cpu`, `cuda`) in `precision`, after their digest was checked.

    `threads` on the CPU for one pass; None leaves the choice to the runtime. `cache` is the folder where a backend
    that compiles keeps what it made; None for that of the weights. `inference_only` says that this process has no
    other use for torch, parts of which may then be missing (`torch_for_inference`). Raises `WeightsError` for weights
    that are not what their manifest says, `EngineUnavailableError` for a device or a backend that is not there, or a
    precision that is not theirs.
    """
    model = model_of(weights)
    model_id(weights, precision, backend)  # refuses before anything heavy is imported
    with without_collection(), ThreadPoolExecutor(1, "verify") as beside:
        # Hashing lets other threads run, and takes less time than the imports: no start waits for it.
        verified = beside.submit(weights.verify)
        if backend == "openvino":
            from gpu_worker.engines.openvino import OnnxGraph, OpenVinoEngine  # noqa: PLC0415  # an optional package

            if isinstance(model, InSPyReNetModel):
                from gpu_worker.engines.recording import RecordedInSPyReNet  # noqa: PLC0415  # torch only where it runs

                graph: Graph = RecordedInSPyReNet(weights, model)
            else:
                graph = OnnxGraph(weights, model)
            verified.result()
            return OpenVinoEngine(
                weights, model.preprocessing, graph, device=device, precision=precision, threads=threads, cache=cache
            )
        if isinstance(model, InSPyReNetModel):
            # A GPU's generators of random numbers are among what would be left out.
            with torch_for_inference() if inference_only and device == "cpu" else nullcontext():
                from gpu_worker.engines.inspyrenet import InSPyReNetEngine  # noqa: PLC0415  # torch only where it runs

            verified.result()
            return InSPyReNetEngine(weights, model, device=device, precision=precision, threads=threads)
        from gpu_worker.engines.onnx import OnnxEngine  # noqa: PLC0415  # ONNX Runtime only where it runs

        verified.result()
        return OnnxEngine(weights, model, device=device, precision=precision, threads=threads)
