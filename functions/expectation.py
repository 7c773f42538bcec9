"""How long a job is likely to take, as the status tells it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.records import Queued

__all__ = ["Expectation", "seconds_left"]


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """Typical seconds of the parts of a job."""

    cold_start: float
    network: float
    render: float


def seconds_left(expected: Expectation, queued: Queued, *, warm: bool, now: datetime) -> int:
    """An estimate, never below 1 while the job runs: a promise that has passed is no use to anybody."""
    if queued.lane == "gpu":
        total = expected.network + expected.render + (0 if warm else expected.cold_start)
    else:
        total = expected.render
    return max(1, math.ceil(total - (now - queued.requested_at).total_seconds()))
