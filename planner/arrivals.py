"""When the next job is likely to come, from the usual rate of this hour and from what happened just now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

__all__ = ["RECENT_HOURS", "Forecast", "Level", "forecast"]

RECENT_HOURS: Final = 1.0
"""How far back what happened says something of now."""

_USUAL_HOURS: Final = 0.5
"""The usual rate counts as much as so many hours of watching today."""
_CHANGE: Final = 0.2
"""How likely it was, before the silence, that the last hour's level would end with its last job."""
_HOUR: Final = 3600.0


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """A belief about the rate: Gamma with this shape, and a rate parameter in hours."""

    shape: float
    hours: float

    @property
    def per_hour(self) -> float:
        return self.shape / self.hours

    def survival(self, seconds: float) -> float:
        """The probability of no job so long, over all rates that are believed (a Lomax law)."""
        return float((1.0 + seconds / _HOUR / self.hours) ** -self.shape)


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """Either the last hour's level goes on, with the probability `persistence`, or it ended at its last job."""

    lasting: Level
    ended: Level
    persistence: float

    @property
    def per_hour(self) -> float:
        return self.persistence * self.lasting.per_hour + (1.0 - self.persistence) * self.ended.per_hour

    def survival(self, seconds: float) -> float:
        return self.persistence * self.lasting.survival(seconds) + (1.0 - self.persistence) * self.ended.survival(
            seconds
        )


def forecast(usual_per_hour: float, recent: Iterable[datetime], now: datetime) -> Forecast:
    """`recent` are the jobs of the last hour; others are left out.

    The silence since the last of them weighs the two levels: after a sale it takes a minute or two to be believed over,
    where in a slow hour the same minutes say little.
    """
    ages = [age for moment in recent if 0.0 <= (age := (now - moment).total_seconds() / _HOUR) < RECENT_HOURS]
    silence = min(ages, default=RECENT_HOURS)
    shape = usual_per_hour * _USUAL_HOURS
    lasting = Level(shape=shape + len(ages), hours=_USUAL_HOURS + RECENT_HOURS)
    ended = Level(shape=shape, hours=_USUAL_HOURS + silence)
    if_lasting = (1.0 - _CHANGE) * ((lasting.hours - silence) / lasting.hours) ** lasting.shape
    if_ended = _CHANGE * (_USUAL_HOURS / ended.hours) ** ended.shape
    return Forecast(lasting=lasting, ended=ended, persistence=if_lasting / (if_lasting + if_ended))
