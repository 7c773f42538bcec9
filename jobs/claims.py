"""One process at a time does a piece of work, whoever else was given the same message.

A claim is an object with a name of its own, so none is ever overwritten: whoever claims writes one, then looks for
others. Of two that claim at once, the one that looks last sees both and steps back, perhaps both do; the message comes
again. The name tells when the claim ends, so a process that died holds the work up until then and no longer.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from events.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.ports import Clock, ObjectStore

__all__ = ["LEASE", "Claims"]

LEASE: Final = timedelta(minutes=4)
"""Longer than the request that a piece of work is done in may take, or it may be done a second time beside; shorter
than its message is retried."""


class Claims:
    """`bucket` is that of the job records."""

    def __init__(self, store: ObjectStore, bucket: str, clock: Clock, *, lease: timedelta = LEASE) -> None:
        self._store = store
        self._bucket = bucket
        self._clock = clock
        self._lease = lease

    @contextmanager
    def hold(self, work: str) -> Iterator[None]:
        """Within it, nobody else holds this work. `work` is part of an object's name.

        Raises `TransientError` while somebody does.
        """
        prefix = f"~claims/{work}/"
        now = self._clock()
        own = f"{prefix}{_stamp(now + self._lease)}~{secrets.token_hex(8)}"
        self._store.create(self._bucket, own, b"", content_type="text/plain")
        try:
            if self._others(prefix, own, now):
                raise TransientError(f"another process is at {work}", work=work)
            yield
        finally:
            self._store.delete(self._bucket, own)

    def _others(self, prefix: str, own: str, now: datetime) -> bool:
        """Whether a claim besides our own holds; those that ended are cleared away."""
        held = False
        for stat in self._store.list(self._bucket, prefix):
            if stat.name == own:
                continue
            if stat.name > f"{prefix}{_stamp(now)}":
                held = True
            else:
                self._store.delete(self._bucket, stat.name)
        return held


def _stamp(moment: datetime) -> str:
    """Sorts by time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
