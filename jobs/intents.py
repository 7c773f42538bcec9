"""What shoppers showed lately, once a session and stage.

Two objects stand for an intent. The first has no time in its name but the hour, so that the same session and stage
are told once in an hour or two; the second sorts by time, the newest first, so that what is recent is one short
listing, and of too much the newest is read. A session is kept as a keyed hash: names of objects tell nobody who was
where.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, get_args

from planner.intents import Intent, Stage

if TYPE_CHECKING:
    from jobs.ports import Clock, ObjectStore

__all__ = ["Intents", "Marked"]

_HOUR: Final = timedelta(hours=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PREFIX: Final = "~intents/newest/"
_MOST: Final = 1000
"""That are read at once, in one page. Anybody can show more on a public address: what is older then counts for nothing,
and whoever has just chosen a file is among those that count.
"""
_LAST: Final = 10**16 - 1
"""Microseconds since the epoch, in the year 2286: names count down from it."""
_STAGES: Final[dict[str, Stage]] = {stage: stage for stage in get_args(Stage)}


class Marked(NamedTuple):
    """`new` is False for an intent that was known."""

    intent: Intent
    new: bool


class Intents:
    """`bucket` is that of the job records; `secret` keys the hashes."""

    def __init__(self, store: ObjectStore, bucket: str, clock: Clock, *, secret: bytes) -> None:
        self._store = store
        self._bucket = bucket
        self._clock = clock
        self._secret = secret

    def mark(self, tenant: str, session: str, stage: Stage) -> Marked:
        now = self._clock().astimezone(UTC)
        known = hmac.new(self._secret, f"intent\x1f{tenant}\x1f{session}".encode(), hashlib.sha256).hexdigest()[:32]
        intent = Intent(known, stage, now)
        if self._store.stat(self._bucket, _seen_name(intent, now - _HOUR)) is not None:
            return Marked(intent, new=False)
        if not self._create(_seen_name(intent, now)):
            return Marked(intent, new=False)
        self._create(f"{_PREFIX}{_countdown(now)}~{known}~{stage}")
        return Marked(intent, new=True)

    def since(self, moment: datetime) -> tuple[Intent, ...]:
        """Those shown since then, the newest first, and of too many the newest alone."""
        end = f"{_PREFIX}{_countdown(moment - _MICROSECOND)}"
        return tuple(
            _parsed(stat.name.removeprefix(_PREFIX))
            for stat in self._store.list(self._bucket, _PREFIX, end_offset=end, most=_MOST)
        )

    def _create(self, name: str) -> bool:
        return self._store.create(self._bucket, name, b"", content_type="text/plain")


def _seen_name(intent: Intent, hour: datetime) -> str:
    return f"~intents/seen/{hour:%Y-%m-%dT%H}/{intent.session}~{intent.stage}"


def _countdown(moment: datetime) -> str:
    """Sorts by time, the latest first."""
    return f"{_LAST - (moment - _EPOCH) // _MICROSECOND:016d}"


def _parsed(name: str) -> Intent:
    countdown, session, stage = name.split("~")
    return Intent(session, _STAGES[stage], _EPOCH + (_LAST - int(countdown)) * _MICROSECOND)
