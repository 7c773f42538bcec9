"""Switches that one function throws and another obeys, and that go back by themselves.

A flag is an object whose name tells when it ends, so one listing from now on answers whether it is up, and nothing has
to be taken down.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from jobs.ports import Clock, ObjectStore

__all__ = ["Flag", "Flags"]

Flag = Literal["warming-paused"]

_STAMP: Final = "%Y-%m-%dT%H:%M:%SZ"


class Flags:
    """`bucket` is that of the job records."""

    def __init__(self, store: ObjectStore, bucket: str, clock: Clock) -> None:
        self._store = store
        self._bucket = bucket
        self._clock = clock

    def put_up(self, flag: Flag, *, until: datetime, by: str) -> None:
        """Up until then (to the second), whatever else puts it up. `by` is who does, safe in an object's name."""
        name = f"{_prefix(flag)}{_stamp(until)}~{by}"
        self._store.create(self._bucket, name, b"", content_type="text/plain")

    def up_until(self, flag: Flag) -> datetime | None:
        """When the flag goes down at the latest; None if it is not up."""
        prefix = _prefix(flag)
        stats = self._store.list(self._bucket, prefix, start_offset=f"{prefix}{_stamp(self._clock())}")
        if not stats:
            return None
        stamp = stats[-1].name.removeprefix(prefix).partition("~")[0]
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)


def _prefix(flag: Flag) -> str:
    return f"~flags/{flag}/"


def _stamp(moment: datetime) -> str:
    """Sorts by time."""
    return moment.astimezone(UTC).strftime(_STAMP)
