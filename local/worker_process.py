"""How the worker's process manages memory, threads and its start: variables that its libraries read when it starts.

A container has to set the same.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WORKER_PROCESS"]

WORKER_PROCESS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MALLOC_MMAP_THRESHOLD_": "2000000000",
        "MALLOC_TRIM_THRESHOLD_": "4000000000",
        "MALLOC_TOP_PAD_": "268435456",
        "MALLOC_ARENA_MAX": "1",
        "GOMP_SPINCOUNT": "5000",
        "OPENBLAS_NUM_THREADS": "1",
        "TORCH_DEVICE_BACKEND_AUTOLOAD": "0",
    }
)
"""glibc keeps the network's large buffers instead of returning and zeroing them each time: up to half of its time.

One arena, since the network runs in a thread of its own: in any arena but the main one a block over 64 MB is mapped
and unmapped each time, whatever the thresholds say. Memory then stays at the most that was ever needed at once.

Threads that wait for the network's others look for them 5000 times, some 0.1 ms, and then sleep. By default they spin
on, and take the processor from another job's decode or encode, for which the whole pass then waits.

NumPy and OpenCV bring an OpenBLAS each, with nothing to multiply that is worth sharing; its threads would spin while
the start needs the processors. And torch would look through every installed package for devices of others' making.
"""
