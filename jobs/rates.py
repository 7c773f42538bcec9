"""The arrival rates that warming goes by: asked for once a day, and kept as an object."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import json

from events.errors import CutoutError
from events.validation import decode_json
from planner.rates import History, WeeklyRates, weekly_rates

if TYPE_CHECKING:
    from jobs.ports import ObjectStore
    from planner.rates import Prior

__all__ = ["DailyRates", "JobHistory"]

_LOG: Final = logging.getLogger(__name__)
_PAST: Final = timedelta(days=28)
_AGAIN: Final = timedelta(minutes=10)


class JobHistory(Protocol):
    def jobs_by_hour(self, since: datetime, until: datetime) -> History:
        """Jobs whose matte the cache did not have, from the first hour on that anything is known of.

        Raises `TransientError`.
        """


class DailyRates:
    """The history up to the last midnight (UTC), as rates. A past that can't be asked for is asked again later.

    Until then yesterday's rates count, or the prior.
    """

    def __init__(self, store: ObjectStore, bucket: str, history: JobHistory, prior: Prior, zone: str) -> None:
        self._store = store
        self._bucket = bucket
        self._history = history
        self._prior = prior
        self._zone = zone
        self._known: tuple[WeeklyRates, datetime] | None = None

    def at(self, now: datetime) -> WeeklyRates:
        """Those of the day of `now`."""
        if self._known is None or now >= self._known[1]:
            self._known = self._read_or_ask(now.astimezone(UTC))
        return self._known[0]

    def _read_or_ask(self, now: datetime) -> tuple[WeeklyRates, datetime]:
        """And until when they are good."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        stored = self._read(now.date())
        if stored is not None:
            return stored, midnight + timedelta(days=1)
        try:
            history = self._history.jobs_by_hour(midnight - _PAST, midnight)
        except CutoutError as error:
            _LOG.warning("rates_unknown", extra={"error": error.message})
            yesterday = self._read(now.date() - timedelta(days=1))
            return yesterday or self._prior_alone(midnight), now + _AGAIN
        rates = weekly_rates(history, self._prior, self._zone)
        self._store.create(self._bucket, self._name(now.date()), json.encode(rates), content_type="application/json")
        _LOG.info("rates_learned", extra={"jobs": sum(count.jobs for count in history.counts), "since": history.since})
        return rates, midnight + timedelta(days=1)

    def _prior_alone(self, midnight: datetime) -> WeeklyRates:
        return weekly_rates(History(since=midnight, until=midnight), self._prior, self._zone)

    def _read(self, day: date) -> WeeklyRates | None:
        stored = self._store.read(self._bucket, self._name(day))
        if stored is None:
            return None
        rates = decode_json(stored.data, WeeklyRates)
        return rates if rates.zone == self._zone else None

    def _name(self, day: date) -> str:
        return f"~rates/{day}.json"
