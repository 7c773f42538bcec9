"""What shoppers showed lately, once a session and stage.

Two objects stand for an intent. The first has no time in its name but the hour, so that the same session and stage
are told once in an hour or two; the second sorts by time, so that what is recent is one short listing. A session is
kept as a keyed hash: names of objects tell nobody who was where.
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
_STAMP: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
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
        self._create(f"~intents/shown/{now.strftime(_STAMP)}~{known}~{stage}")
        return Marked(intent, new=True)

    def since(self, moment: datetime) -> tuple[Intent, ...]:
        """Those shown since then, in order of time."""
        prefix = "~intents/shown/"
        start = f"{prefix}{moment.astimezone(UTC).strftime(_STAMP)}"
        return tuple(
            _parsed(stat.name.removeprefix(prefix))
            for stat in self._store.list(self._bucket, prefix, start_offset=start)
        )

    def _create(self, name: str) -> bool:
        return self._store.create(self._bucket, name, b"", content_type="text/plain")


def _seen_name(intent: Intent, hour: datetime) -> str:
    return f"~intents/seen/{hour:%Y-%m-%dT%H}/{intent.session}~{intent.stage}"


def _parsed(name: str) -> Intent:
    stamp, session, stage = name.split("~")
    return Intent(session, _STAGES[stage], datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC))
