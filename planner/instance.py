"""Whether a worker is awake, from what is known about it at different delays."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from planner.worker import Worker

__all__ = ["Instance", "Observation", "Traces", "instance_at"]

State = Literal["cold", "starting", "warm"]

_MINUTE: Final = timedelta(minutes=1)
_PATIENCE: Final = timedelta(minutes=2)
"""A start that has shown nothing so long after its usual end has failed."""


class Observation(NamedTuple):
    """How many instances Cloud Monitoring saw at a moment, some two minutes ago."""

    at: datetime
    instances: int


class Traces(msgspec.Struct, frozen=True, kw_only=True):
    """The last minute in which a worker was awake, when a warm-up was last asked for, what Monitoring saw last."""

    awake: datetime | None = None
    requested: datetime | None = None
    observed: Observation | None = None


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """`remaining` seconds of idle time are left to a warm one."""

    state: State
    remaining: float = 0.0


_COLD: Final = Instance(state="cold")


def instance_at(now: datetime, traces: Traces, worker: Worker) -> Instance:
    """What a worker leaves behind is prompt but only by the minute; Monitoring is late but knows what died early."""
    start, idle = timedelta(seconds=worker.cold_start_seconds), timedelta(seconds=worker.idle_seconds)
    awake = traces.awake
    requested = traces.requested
    if requested is not None and not _confirmed(requested, awake) and now - requested <= start + _PATIENCE:
        if awake is None or requested >= awake + idle + _MINUTE:
            return Instance(state="starting")
        awake = requested  # it was warm when it was asked to stay
    if awake is None or now >= awake + idle:
        seen = traces.observed is not None and traces.observed.instances > 0 and now - traces.observed.at < idle
        return Instance(state="warm") if seen else _COLD
    if _gone(traces.observed, max(awake, traces.requested or awake)):
        return _COLD
    return Instance(state="warm", remaining=(awake + idle - now).total_seconds())


def _confirmed(requested: datetime, awake: datetime | None) -> bool:
    """Whether a worker was awake in the minute of the request, or later."""
    return awake is not None and awake >= requested.replace(second=0, microsecond=0)


def _gone(observed: Observation | None, last_sign: datetime) -> bool:
    """Whether Monitoring saw none after the last sign of life."""
    return observed is not None and observed.instances == 0 and observed.at > last_sign + _MINUTE
