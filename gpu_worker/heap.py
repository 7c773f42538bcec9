"""Memory that a start will need, had from the kernel before it is needed."""

from __future__ import annotations

import ctypes
import os
import threading
from typing import Final

__all__ = ["touch_heap"]

_BYTES: Final = 256 << 20
"""About what the import of torch, the layers and a pass at 384 x 384 px allocate."""
_KEEPING: Final = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def touch_heap() -> threading.Thread | None:
    """Write to 256 MB of malloc's in a thread of their own, then free them: whatever allocates next finds pages there.

    The kernel makes and zeroes a page when it is first written to, which takes microseconds on a virtual machine: a
    start that allocates as it goes waits for a hundred thousand of them. Does nothing and returns None unless malloc
    keeps blocks of that size (`local/worker_process.py`).
    """
    if not _kept():
        return None
    thread = threading.Thread(target=_touch, name="heap", daemon=True)
    thread.start()
    return thread


def _kept() -> bool:
    """Whether malloc has one arena, and neither maps such a block by itself nor gives it back."""
    sizes = [os.environ.get(name, "") for name in _KEEPING]
    large = all(size.isdecimal() and int(size) >= _BYTES for size in sizes)
    return large and os.environ.get("MALLOC_ARENA_MAX") == "1"


def _touch() -> None:
    libc = ctypes.CDLL(None)  # its functions run without the interpreter's lock
    libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    block = libc.malloc(_BYTES)
    if block is not None:
        libc.memset(block, 0, _BYTES)
        libc.free(block)
