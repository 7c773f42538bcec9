"""Traces that an awake worker leaves, so that the status of a job can tell a cold worker from a warm one.

Cloud Monitoring knows too, but two minutes late.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from events.names import activity_name

if TYPE_CHECKING:
    from jobs.ports import Clock, ObjectStore

__all__ = ["Activity"]

_AWAKE: Final = timedelta(minutes=10)
"""Cloud Run keeps an idle instance at most this long after its last request."""


class Activity:
    def __init__(self, store: ObjectStore, bucket: str, clock: Clock) -> None:
        self._store = store
        self._bucket = bucket
        self._clock = clock
        self._lock = threading.Lock()
        self._written = ""

    def note(self) -> None:
        """A worker is awake now: one object a minute."""
        name = activity_name(self._clock())
        with self._lock:
            if name == self._written:
                return
            self._written = name
        self._store.create(self._bucket, name, b"", content_type="text/plain")

    def recent(self) -> bool:
        """Whether a worker is probably still warm."""
        since = activity_name(self._clock() - _AWAKE)
        return bool(self._store.list(self._bucket, "~activity/", start_offset=since))
