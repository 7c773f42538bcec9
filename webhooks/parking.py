"""Deliveries that wait for their next attempt, as objects: a push subscription can't hold one message back alone.

Each has a record under the id of its attempt, written once, and an empty entry whose name begins with the time when it
is due, so that one listing finds what is due. The record comes first and decides the time: an attempt that fails twice,
because its message came twice or somebody died, is parked once. It goes in the same order. Whoever dies between the two
may leave a record without an entry; the bucket's lifecycle rules take it away with the other old records.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from events.envelope import Outgoing
from events.errors import InvalidMessageError, PermanentError
from events.messages import Time
from events.validation import decode_json

if TYPE_CHECKING:
    from jobs.ports import ObjectStore

__all__ = ["Parking", "UnreadableRecordError"]

_ENTRIES: Final = "~deliveries/due/"
_RECORDS: Final = "~deliveries/attempts/"


class UnreadableRecordError(PermanentError, ValueError):
    """A record that holds no message: of another version, or somebody else's. `record` is what it holds."""

    def __init__(self, message: str, event_id: str, record: bytes) -> None:
        super().__init__(message)
        self.event_id = event_id
        self.record = record


class _Parked(msgspec.Struct, frozen=True, kw_only=True):
    due: Time
    message: Outgoing


class Parking:
    """In the jobs bucket. Every method may be interrupted at any line and run again."""

    def __init__(self, store: ObjectStore, bucket: str) -> None:
        self._store = store
        self._bucket = bucket

    def park(self, message: Outgoing, due: datetime) -> datetime:
        """Keep `message` until it is due; when that is, where it was parked before."""
        event_id = message.attributes["ce-id"]
        name = _record(event_id)
        record = msgspec.json.encode(_Parked(due=due, message=message))
        if not self._store.create(self._bucket, name, record, content_type="application/json"):
            stored = self._store.read(self._bucket, name)
            due = due if stored is None else decode_json(stored.data, _Parked).due
        entry = f"{_ENTRIES}{_stamp(due)}/{event_id}"
        self._store.create(self._bucket, entry, b"", content_type="text/plain")
        return due

    def entries(self, now: datetime) -> list[str]:
        """What is due, the oldest first."""
        stats = self._store.list(self._bucket, _ENTRIES, end_offset=f"{_ENTRIES}{_stamp(now)}~")
        return [stat.name for stat in stats]

    def message(self, entry: str) -> Outgoing | None:
        """None where it was taken away after it had been published.

        Raises `UnreadableRecordError` where the record is no message.
        """
        event_id = _event_id(entry)
        stored = self._store.read(self._bucket, _record(event_id))
        if stored is None:
            return None
        try:
            return decode_json(stored.data, _Parked).message
        except InvalidMessageError as error:
            raise UnreadableRecordError(
                f"a parked delivery that can't be read: {error}", event_id, stored.data
            ) from error

    def remove(self, entry: str) -> None:
        """Only after its message was published, or what is there instead was given up."""
        self._store.delete(self._bucket, _record(_event_id(entry)))
        self._store.delete(self._bucket, entry)


def _record(event_id: str) -> str:
    return f"{_RECORDS}{event_id}.json"


def _event_id(entry: str) -> str:
    return entry.rpartition("/")[2]


def _stamp(moment: datetime) -> str:
    """Text of one length that sorts by time; `~` sorts after whatever follows it in a name."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
