"""InSPyReNet (Kim et al., ACCV 2022, arXiv:2209.09475) over a Swin-B backbone (Liu et al., ICCV 2021,
arXiv:2103.14030), for inference.

The tensors' names and shapes are those of the official checkpoints, so these load strictly.
"""

from gpu_worker.inspyrenet.checkpoint import network_of, read_checkpoint
from gpu_worker.inspyrenet.network import InSPyReNet

__all__ = ["InSPyReNet", "network_of", "read_checkpoint"]
