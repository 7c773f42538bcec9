from gpu_worker.inspyrenet.lean.folding import fold
from gpu_worker.inspyrenet.lean.network import LeanNetwork
