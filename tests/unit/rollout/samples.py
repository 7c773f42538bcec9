"""Made-up measurements."""

from __future__ import annotations

from rollout.sample import Histogram, Sample

__all__ = ["sample"]

_BOUNDS = tuple(0.1 * 1.2**power for power in range(45))


def sample(
    requests: int, errors: int = 0, *, seconds: float = 1.5, slow: int = 0, slow_seconds: float = 22.0
) -> Sample:
    """So many requests; those that did not fail took `seconds`, but for `slow` of them."""
    counts = [0] * (len(_BOUNDS) + 1)
    counts[_bucket(seconds)] += requests - errors - slow
    counts[_bucket(slow_seconds)] += slow
    return Sample(requests, errors, Histogram(_BOUNDS, tuple(counts)))


def _bucket(seconds: float) -> int:
    return sum(bound <= seconds for bound in _BOUNDS)
