"""Bounds of shares from small counts, which raw ratios have none of.

Sources: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927);
R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17
(1998), method 10.
"""

from __future__ import annotations

import math

__all__ = ["least_difference", "share"]


def share(hits: float, trials: int, z: float) -> tuple[float, float]:
    """Wilson's interval of `hits` of `trials`, which is all from 0 to 1 where nothing was tried. `z` in deviations."""
    if trials <= 0:
        return 0.0, 1.0
    observed = hits / trials
    weight = z * z / trials
    middle = (observed + weight / 2) / (1 + weight)
    reach = z * math.sqrt(observed * (1 - observed) / trials + weight / (4 * trials)) / (1 + weight)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def least_difference(hits: float, trials: int, other_hits: float, other_trials: int, z: float) -> float:
    """By how much the first share is greater than the other one at least; negative where that can't be told."""
    if trials <= 0 or other_trials <= 0:
        return -1.0
    first, other = hits / trials, other_hits / other_trials
    low, _ = share(hits, trials, z)
    _, high = share(other_hits, other_trials, z)
    return first - other - math.hypot(first - low, high - other)
