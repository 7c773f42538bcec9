"""Digests of files."""

from __future__ import annotations

import hashlib
import mmap
import os
from typing import TYPE_CHECKING

from gpu_worker.weights.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["demand_digest", "digest_of"]


def digest_of(path: Path, algorithm: str) -> str:
    """The digest of a file's content, in lower-case hex; `algorithm` as hashlib names it.

    In one call over the mapped file, which lets other threads run throughout. Read piece by piece, each piece would
    wait for a thread that imports to give up the interpreter. A file that is cut off meanwhile ends the process by
    SIGBUS, as it would while the network runs on it.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:  # nothing can't be mapped, and a pipe neither
            return hashlib.file_digest(file, lambda: digest).hexdigest()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            content.madvise(mmap.MADV_SEQUENTIAL)
            digest.update(content)
    return digest.hexdigest()


def demand_digest(path: Path, algorithm: str, expected: str) -> None:
    """Raise `WeightsError` unless the file has that digest."""
    actual = digest_of(path, algorithm)
    if actual != expected:
        raise WeightsError(
            f"{path}: {algorithm} is {actual}, expected {expected}",
            path=str(path),
            expected=expected,
            actual=actual,
        )
