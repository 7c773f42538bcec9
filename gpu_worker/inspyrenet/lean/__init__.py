"""InSPyReNet once more, for speed: the same alpha up to rounding, from tensors that were prepared for it.

The parent package holds the network as it was published and trained; `fold` makes this one's tensors of its weights.
Where the two differ, the reason stands here beside the code: `layers` and `onednn` (what follows a product is done
with it), `windows` and `swin` (bands that stay in the caches), `context` (merged products), `attention` (means are
convolved by their weights), `pyramid` (no products with zero).
"""

from gpu_worker.inspyrenet.lean.denormals import flushed_denormals
from gpu_worker.inspyrenet.lean.devices import layers_for
from gpu_worker.inspyrenet.lean.folding import cast, fold
from gpu_worker.inspyrenet.lean.layers import PlainLayers
from gpu_worker.inspyrenet.lean.network import LeanNetwork
from gpu_worker.inspyrenet.lean.onednn import OneDnnLayers
from gpu_worker.inspyrenet.lean.packed import DTYPES, read_packed, write_packed

__all__ = [
    "DTYPES",
    "LeanNetwork",
    "OneDnnLayers",
    "PlainLayers",
    "cast",
    "flushed_denormals",
    "fold",
    "layers_for",
    "read_packed",
    "write_packed",
]
