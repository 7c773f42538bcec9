"""Traces that an awake worker leaves, so that the status of a job can tell a cold worker from a warm one.

Cloud Monitoring knows too, but two minutes late.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from events.names import activity_name

if TYPE_CHECKING:
    from jobs.ports import Clock, ObjectStore

__all__ = ["Activity", "AwakeMinute"]

_AWAKE: Final = timedelta(minutes=10)
"""Cloud Run keeps an idle instance at most this long after its last request."""


_JOB: Final = "~job"


class AwakeMinute(NamedTuple):
    """A minute (UTC) in which a worker was awake, and whether it took up a job that needed its network."""

    minute: datetime
    job: bool


class Activity:
    def __init__(self, store: ObjectStore, bucket: str, clock: Clock) -> None:
        self._store = store
        self._bucket = bucket
        self._clock = clock
        self._lock = threading.Lock()
        self._written = {"": "", _JOB: ""}

    def note(self, *, job: bool = False) -> None:
        """A worker is awake now, and takes up a job if it says so: one object a minute of each kind."""
        kind = _JOB if job else ""
        name = f"{activity_name(self._clock())}{kind}"
        with self._lock:
            if name == self._written[kind]:
                return
            self._written[kind] = name
        self._store.create(self._bucket, name, b"", content_type="text/plain")

    def recent(self) -> bool:
        """Whether a worker is probably still warm."""
        since = activity_name(self._clock() - _AWAKE)
        return bool(self._store.list(self._bucket, "~activity/", start_offset=since))

    def minutes(self, since: datetime) -> list[AwakeMinute]:
        """Those since then, in order of time; a minute with a job may be there twice."""
        stats = self._store.list(self._bucket, "~activity/", start_offset=activity_name(since.astimezone(UTC)))
        return [_parsed(stat.name.removeprefix("~activity/")) for stat in stats]


def _parsed(name: str) -> AwakeMinute:
    minute = datetime.strptime(name.removesuffix(_JOB), "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
    return AwakeMinute(minute, job=name.endswith(_JOB))
