"""What was already done about an incident, as small objects that are each written once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from alerts.mitigator import Mitigated
from events.validation import decode_json

if TYPE_CHECKING:
    from alerts.announcement import Phase
    from jobs.ports import ObjectStore

__all__ = ["IncidentRecords", "Receipt"]

R = TypeVar("R", bound=msgspec.Struct)


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """How a receiver names the message that it was sent, where it does: with it the message can be changed."""

    channel: str = ""
    ts: str = ""


class _Over(msgspec.Struct, frozen=True, kw_only=True):
    """The incident was told as resolved, or is about to be."""


class IncidentRecords:
    """Of the incident that `key` names, in the bucket of the job records."""

    def __init__(self, store: ObjectStore, bucket: str, key: str) -> None:
        self._store = store
        self._bucket = bucket
        self._prefix = f"~alerts/{key}/"

    @property
    def over(self) -> bool:
        return self._read("over", _Over) is not None

    def end(self) -> None:
        """From now on nothing is told or done about it any more as about an incident that is open."""
        self._create("over", _Over())

    def receipt(self, receiver: str, phase: Phase) -> Receipt | None:
        """None if that receiver was not told yet."""
        return self._read(f"told-{receiver}-{phase}", Receipt)

    def keep_receipt(self, receiver: str, phase: Phase, receipt: Receipt) -> None:
        self._create(f"told-{receiver}-{phase}", receipt)

    def mitigated(self, action: str) -> Mitigated | None:
        """None if that was not tried yet."""
        return self._read(f"mitigated-{action}", Mitigated)

    def keep_mitigated(self, outcome: Mitigated) -> None:
        self._create(f"mitigated-{outcome.action}", outcome)

    def all_mitigated(self) -> tuple[Mitigated, ...]:
        prefix = f"{self._prefix}mitigated-"
        names = [stat.name for stat in self._store.list(self._bucket, prefix)]
        actions = [name.removeprefix(prefix).removesuffix(".json") for name in names]
        return tuple(outcome for action in actions if (outcome := self.mitigated(action)) is not None)

    def _read(self, record: str, kind: type[R]) -> R | None:
        stored = self._store.read(self._bucket, f"{self._prefix}{record}.json")
        return None if stored is None else decode_json(stored.data, kind)

    def _create(self, record: str, value: msgspec.Struct) -> None:
        name = f"{self._prefix}{record}.json"
        self._store.create(self._bucket, name, msgspec.json.encode(value), content_type="application/json")
