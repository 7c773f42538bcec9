"""The worker's memory after many photos is what it was after a few."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[3]
_GIVE_BACK: Final = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "MALLOC_TOP_PAD_": "0",
    "NUMPY_MADVISE_HUGEPAGE": "0",
}
"""glibc returns to the system at once what is freed, so that resident memory is what is in use. Without NumPy's
pages of 2 MB, of which two are more than the noise that is allowed.
"""
_SETTLED: Final = 1
"""After this many groups of ten, everything is there that is made once."""
_NOISE: Final = 3 << 20
"""Bytes. Measured are 0.2 to 1.6 MB from the 20th photo to the 60th, in steps of a megabyte: what a thread makes once,
when it meets a format for the first time. A leak of one matte a photo adds 8 MB.
"""


def _growth(*arguments: str) -> int:
    """Bytes that the process has after the last photo and did not have after the first twenty."""
    finished = subprocess.run(
        [sys.executable, "-m", "tests.integration.memory.sixty_photos", *arguments],
        cwd=_ROOT,
        env={**os.environ, **_GIVE_BACK},
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    resident = [int(line) for line in finished.stdout.split()]
    assert len(resident) == 6
    return resident[-1] - resident[_SETTLED]


def test_memory_does_not_grow_with_the_photos() -> None:
    assert _growth() < _NOISE


def test_a_leak_of_one_matte_a_photo_would_be_seen() -> None:
    assert _growth("leak") > 2 * _NOISE
