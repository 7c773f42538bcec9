"""Networks that find a photo's subject, behind one protocol. Importing this imports neither torch nor ONNX Runtime."""

from gpu_worker.engines.base import BatchTooLargeError, Engine, EngineUnavailableError, NetworkFailedError
from gpu_worker.engines.factory import load_engine
from gpu_worker.engines.models import model_id

__all__ = [
    "BatchTooLargeError",
    "Engine",
    "EngineUnavailableError",
    "NetworkFailedError",
    "load_engine",
    "model_id",
]
