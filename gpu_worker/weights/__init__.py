"""Weights as local files, each beside a manifest that says what it is and where it came from.

    python -m gpu_worker.weights fetch [--model auto|base|fast|isnet] [--dir weights]
    python -m gpu_worker.weights show [--dir weights]

Importing this finds, reads and checks them. Fetching belongs to setting up, and is apart, in `fetching`: the worker
never downloads.
"""

from gpu_worker.weights.errors import UnreachableError, WeightsError, WeightsMissingError
from gpu_worker.weights.finding import find_weights, weights_in
from gpu_worker.weights.manifest import Manifest, Precision, Weights

__all__ = [
    "Manifest",
    "Precision",
    "UnreachableError",
    "Weights",
    "WeightsError",
    "WeightsMissingError",
    "find_weights",
    "weights_in",
]
