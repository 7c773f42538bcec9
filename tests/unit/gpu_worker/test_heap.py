from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from gpu_worker.heap import touch_heap
from local.worker_process import WORKER_PROCESS

_KIB_TOUCHED = 256 << 10


def test_what_is_allocated_next_finds_its_pages_there() -> None:
    program = """
import ctypes, resource
from gpu_worker.heap import touch_heap

touch_heap().join()
libc = ctypes.CDLL(None)
libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
libc.memset(libc.malloc(200 << 20), 0, 200 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(WORKER_PROCESS))
    assert int(result.stdout) < 100  # of 51,200 pages


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MALLOC_MMAP_THRESHOLD_", None),
        ("MALLOC_MMAP_THRESHOLD_", "131072"),
        ("MALLOC_TRIM_THRESHOLD_", "0x10000000"),
        ("MALLOC_ARENA_MAX", None),
    ],
)
def test_nothing_is_touched_where_malloc_would_give_it_back(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None
) -> None:
    changed = {**WORKER_PROCESS, variable: value}
    monkeypatch.setattr(os, "environ", {name: setting for name, setting in changed.items() if setting is not None})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert touch_heap() is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + _KIB_TOUCHED
