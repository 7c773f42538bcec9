"""Digests of files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gpu_worker.weights.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["demand_digest", "digest_of"]


def digest_of(path: Path, algorithm: str) -> str:
    """The digest of a file's content, in lower-case hex; `algorithm` as hashlib names it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


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
