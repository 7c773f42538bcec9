"""Which layers a device runs best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_worker.inspyrenet.lean.layers import PlainLayers
from gpu_worker.inspyrenet.lean.onednn import OneDnnLayers

if TYPE_CHECKING:
    import torch

    from gpu_worker.inspyrenet.lean.layers import Layers

__all__ = ["layers_for"]


def layers_for(device: str, dtype: torch.dtype) -> Layers:
    """Those of oneDNN on a CPU whose instructions it can use for `dtype`; else torch's own, which run everywhere."""
    return OneDnnLayers() if device == "cpu" and OneDnnLayers.supports(dtype) else PlainLayers()
