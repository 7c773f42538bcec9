"""Arrival patterns of shops, the same for the same seed: what the simulation and the tests run on.

An upload is a job that the cache does not know. Each comes at the end of a visit that went through all stages, and the
visits that end earlier are as many as the stages' likelihoods say.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from planner.intents import DEFAULT_STAGES, STAGES, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from planner.intents import StageModel

__all__ = ["PATTERNS", "START", "Visit", "arrivals_from", "visits"]

START: Final = datetime(2026, 10, 5, 4, 0, tzinfo=UTC)
"""A Monday, 0:00 in New York."""
ZONE: Final = ZoneInfo("America/New_York")

_HOUR: Final = timedelta(hours=1)
_THURSDAY: Final = 3
_SATURDAY: Final = 5


class Visit(NamedTuple):
    """When a shopper reached which stage, and uploaded, if so."""

    stages: tuple[tuple[datetime, Stage], ...]
    uploaded: datetime | None


Uploads = list[datetime]


def _empty_shop(rng: random.Random, hour: datetime) -> Uploads:
    """Somebody tries it once in ten days."""
    return _poisson(rng, hour, 0.004)


def _one_an_hour(rng: random.Random, hour: datetime) -> Uploads:
    """One image in each hour, day and night, at any minute of it."""
    return [hour + rng.random() * _HOUR]


def _office_hours(rng: random.Random, hour: datetime) -> Uploads:
    """15 an hour on working days from 9 to 17 h in New York, and hardly any else."""
    local = hour.astimezone(ZONE)
    busy = local.weekday() < _SATURDAY and 9 <= local.hour < 17
    return _poisson(rng, hour, 15.0 if busy else 0.1)


def _flash_sale(rng: random.Random, hour: datetime) -> Uploads:
    """One an hour by day; every Thursday from 12 to 14 h, 240 an hour."""
    local = hour.astimezone(ZONE)
    if local.weekday() == _THURSDAY and 12 <= local.hour < 14:
        return _poisson(rng, hour, 240.0)
    return _poisson(rng, hour, 1.0 if 8 <= local.hour < 22 else 0.05)


PATTERNS: Final[Mapping[str, Callable[[random.Random, datetime], Uploads]]] = MappingProxyType(
    {
        "empty_shop": _empty_shop,
        "one_an_hour": _one_an_hour,
        "office_hours": _office_hours,
        "flash_sale": _flash_sale,
    }
)


def arrivals_from(pattern: str, days: int, *, seed: int = 1) -> list[datetime]:
    """When photos are uploaded that the cache does not know, in order. Raises `KeyError` for an unknown pattern."""
    rng = random.Random(f"{pattern} {seed}")  # noqa: S311  # a simulation
    hours = (START + index * _HOUR for index in range(24 * days))
    return sorted(moment for hour in hours for moment in PATTERNS[pattern](rng, hour))


def visits(
    uploads: Iterable[datetime], stages: Mapping[Stage, StageModel] = DEFAULT_STAGES, *, seed: int = 1
) -> list[Visit]:
    """A visit for each upload, and those that end at an earlier stage, in whatever order."""
    rng = random.Random(f"visits {seed}")  # noqa: S311
    made: list[Visit] = []
    for uploaded in uploads:
        reached = _before(rng, uploaded, STAGES, stages)
        made.append(Visit(reached, uploaded))
        for index, stage in enumerate(STAGES):
            after = 1.0 if stage == STAGES[-1] else 1.0 / stages[STAGES[index + 1]].likelihood
            leaving = 1.0 / stages[stage].likelihood - after
            for _ in range(_count(rng, leaving)):
                moment = uploaded + (rng.random() - 0.5) * _HOUR
                made.append(Visit(_before(rng, moment, STAGES[: index + 1], stages), None))
    return made


def _before(
    rng: random.Random, end: datetime, reached: tuple[Stage, ...], stages: Mapping[Stage, StageModel]
) -> tuple[tuple[datetime, Stage], ...]:
    """Each stage so long before the end as its model says."""
    found: list[tuple[datetime, Stage]] = []
    moment = end
    for index in range(len(reached) - 1, -1, -1):
        stage = reached[index]
        later = stages[reached[index + 1]].seconds if index + 1 < len(reached) else 0.0
        moment -= timedelta(seconds=rng.expovariate(1.0 / max(1.0, stages[stage].seconds - later)))
        found.append((moment, stage))
    return tuple(reversed(found))


def _poisson(rng: random.Random, hour: datetime, rate: float) -> Uploads:
    moments: Uploads = []
    elapsed = rng.expovariate(rate)
    while elapsed < 1.0:
        moments.append(hour + elapsed * _HOUR)
        elapsed += rng.expovariate(rate)
    return moments


def _count(rng: random.Random, mean: float) -> int:
    """A whole number with that mean."""
    return int(mean) + (rng.random() < mean % 1.0)
