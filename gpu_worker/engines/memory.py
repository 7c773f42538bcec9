"""How many photos fit into a GPU's memory at once, measured on the GPU itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["fitting_batch", "measured_batch"]

_SPARE: Final = 0.2
"""Share of the free memory that is left: for the colours of the foreground, and for what fragmentation wastes."""


def fitting_batch(free: int, of_one: int, largest: int) -> int:
    """Photos that go through the network at once: 1 to `largest`.

    `free`: bytes that nothing has taken while no pass runs. `of_one`: bytes that a pass of one photo takes at its
    peak. A pass of several takes no more for each.
    """
    return max(1, min(largest, int(free * (1 - _SPARE)) // max(of_one, 1)))


def measured_batch(pass_of_one: Callable[[], object], largest: int) -> int:
    """`fitting_batch` of the current CUDA device, from a pass of one photo. The weights must be there already.

    The first pass makes what stays: tables, and the workspaces of libraries. The second one is measured.
    """
    pass_of_one()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    pass_of_one()
    of_one = torch.cuda.max_memory_allocated() - before
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    return fitting_batch(free, of_one, largest)
