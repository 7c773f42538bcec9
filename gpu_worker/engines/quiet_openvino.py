"""OpenVINO, without what it would tell Google Analytics when it is imported. Import it from here only."""

from __future__ import annotations

import sys

from gpu_worker.engines.base import EngineUnavailableError

__all__ = ["openvino"]

# It has a stand-in for its reporting package, which it requires, but takes the stand-in where the import fails.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # makes an import fail
try:
    import openvino
except ImportError:
    raise EngineUnavailableError(
        "told to compute with OpenVINO, which is not installed here: pip install -r requirements/openvino.txt"
    ) from None
