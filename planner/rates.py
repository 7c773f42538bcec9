"""How many jobs that need the worker an hour of the week brings, from the past and a prior.

Gamma-Poisson shrinkage in three steps: the shop as a whole is drawn towards the prior, an hour of a working day or of
a weekend towards the shop, and an hour of the week towards that. So a new shop has the prior's rate, a shop of one
week already knows its working hours, and an old one tells Monday morning from Tuesday's.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["History", "HourCount", "Prior", "WeeklyRates", "shrunk", "weekly_rates"]

_HOUR: Final = timedelta(hours=1)
_HOURS_A_WEEK: Final = 168
_FRIDAY: Final = 4
_SATURATED: Final = 20
"""More jobs in an hour keep a worker awake by themselves. Counted in full, one sale would make every other day of the
week look busy at its hour."""


class HourCount(NamedTuple):
    """Jobs that needed the worker in the hour that starts at `hour`."""

    hour: datetime
    jobs: int


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted from `since` until `until`. Hours that are not among `counts` had no job."""

    since: datetime
    until: datetime
    counts: tuple[HourCount, ...] = ()


class Prior(msgspec.Struct, frozen=True, kw_only=True):
    """What is believed of a shop before it has a past: `jobs_per_hour`, worth `hours` of watching it."""

    jobs_per_hour: Annotated[float, msgspec.Meta(gt=0)] = 0.1
    hours: Annotated[float, msgspec.Meta(gt=0)] = 6.0
    group_hours: Annotated[float, msgspec.Meta(gt=0)] = 2.0
    """What the wider group counts for, in hours of watching the narrower one."""


class WeeklyRates(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs an hour, for each hour of the week in the shop's time zone, from Monday 0:00 on."""

    zone: str
    per_hour: Annotated[tuple[float, ...], msgspec.Meta(min_length=_HOURS_A_WEEK, max_length=_HOURS_A_WEEK)]

    def at(self, moment: datetime) -> float:
        return self.per_hour[_hour_of_week(moment, ZoneInfo(self.zone))]

    def over(self, start: datetime, seconds: float) -> float:
        """The mean rate of the `seconds` (up to an hour) after `start`."""
        end = start + timedelta(seconds=seconds)
        turn = start.replace(minute=0, second=0, microsecond=0) + _HOUR
        if end <= turn:
            return self.at(start)
        before = (turn - start).total_seconds() / seconds
        return before * self.at(start) + (1.0 - before) * self.at(end)


def shrunk(jobs: float, hours: float, *, towards: float, worth: float) -> float:
    """The posterior mean rate of `jobs` in `hours`, with a Gamma prior of mean `towards` worth so many hours."""
    return (towards * worth + jobs) / (worth + hours)


def weekly_rates(history: History, prior: Prior, zone: str) -> WeeklyRates:
    """Raises `zoneinfo.ZoneInfoNotFoundError` for a zone that is none."""
    place = ZoneInfo(zone)
    watched = Counter(_hour_of_week(hour, place) for hour in _hours(history))
    jobs = Counter[int]()
    for count in history.counts:
        if history.since - _HOUR < count.hour < history.until:
            jobs[_hour_of_week(count.hour, place)] += min(count.jobs, _SATURATED)
    whole = shrunk(jobs.total(), watched.total(), towards=prior.jobs_per_hour, worth=prior.hours)
    rates = [0.0] * _HOURS_A_WEEK
    for alike in _groups():
        group = shrunk(
            sum(jobs[hour] for hour in alike),
            sum(watched[hour] for hour in alike),
            towards=whole,
            worth=prior.group_hours,
        )
        for hour in alike:
            rates[hour] = shrunk(jobs[hour], watched[hour], towards=group, worth=prior.group_hours)
    return WeeklyRates(zone=zone, per_hour=tuple(rates))


def _groups() -> list[list[int]]:
    """Hours of the week with the same hour of the day: those of working days, and those of the weekend."""
    days: tuple[Sequence[int], ...] = (range(_FRIDAY + 1), range(_FRIDAY + 1, 7))
    return [[24 * day + hour for day in alike] for alike in days for hour in range(24)]


def _hours(history: History) -> list[datetime]:
    """Every whole hour that was watched; part of an hour counts as one."""
    first = history.since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    number = -((first - history.until) // _HOUR)
    return [first + index * _HOUR for index in range(number)]


def _hour_of_week(moment: datetime, zone: ZoneInfo) -> int:
    local = moment.astimezone(zone)
    return 24 * local.weekday() + local.hour
