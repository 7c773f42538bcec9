"""Our messages as CloudEvents 1.0, in the Pub/Sub binding's binary mode: `ce-*` attributes and JSON data.

Source: https://github.com/cloudevents/spec, CloudEvents 1.0.2 and its Google Pub/Sub protocol binding.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar, cast

import msgspec

from events.errors import InvalidMessageError
from events.ids import event_id
from events.messages import EVENT_TYPES, Message, ResultCompleted, ResultFailed, Time
from events.trace import is_traceparent, new_traceparent
from events.validation import convert, decode_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Event", "Outgoing", "decode", "decode_result", "job_event"]

M = TypeVar("M", bound=Message)


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A message ready to publish, letter for letter: what is stored is what is sent again later."""

    topic: str
    attributes: dict[str, str]
    data: str


class Event(msgspec.Struct, Generic[M], frozen=True, kw_only=True):
    """A CloudEvent that carries one of our messages."""

    id: str
    source: str
    subject: str
    time: datetime
    traceparent: str
    data: M

    def outgoing(self, topic: str) -> Outgoing:
        """The event as a Pub/Sub message for `topic`. Raises `ValueError` for a topic that is not the type's."""
        if topic not in self.data.topics:
            raise ValueError(f"{self.data.type} belongs on {self.data.topics}, not on {topic!r}")
        attributes = {
            "ce-specversion": "1.0",
            "ce-id": self.id,
            "ce-source": self.source,
            "ce-type": self.data.type,
            "ce-subject": self.subject,
            "ce-time": _rfc3339(self.time),
            "ce-traceparent": self.traceparent,
            "content-type": "application/json",
        }
        return Outgoing(topic=topic, attributes=attributes, data=msgspec.json.encode(self.data).decode())


def job_event(
    data: M, *, tenant: str, job_id: str, part: str, run: int, source: str, time: datetime, traceparent: str
) -> Event[M]:
    """An event that a job sends, with the id that every retry of it repeats."""
    return Event(
        id=event_id(job_id, data.type, part, run),
        source=f"//cutout/{source}",
        subject=f"{tenant}/{job_id}",
        time=time,
        traceparent=traceparent,
        data=data,
    )


def decode_result(data: bytes | str, attributes: Mapping[str, str]) -> Event[ResultCompleted | ResultFailed]:
    """The event in a message of the results topic. Raises `InvalidMessageError`."""
    return cast("Event[ResultCompleted | ResultFailed]", decode(data, attributes, ResultCompleted, ResultFailed))


class _Attributes(msgspec.Struct, frozen=True, kw_only=True, rename=lambda name: f"ce-{name}"):
    specversion: Literal["1.0"]
    id: Annotated[str, msgspec.Meta(min_length=1)]
    source: Annotated[str, msgspec.Meta(min_length=1)]
    type: Annotated[str, msgspec.Meta(min_length=1)]
    time: Time
    subject: str = ""
    traceparent: str | None = None


def decode(data: bytes | str, attributes: Mapping[str, str], *kinds: type[M]) -> Event[M]:
    """The event in a Pub/Sub message, which must be of one of `kinds`.

    Raises `InvalidMessageError` naming every invalid attribute, or every invalid field of the data.
    """
    known: dict[str, type[Any]] = {kind.type: kind for kind in kinds or EVENT_TYPES}
    head = _head(attributes, known)
    return Event(
        id=head.id,
        source=head.source,
        subject=head.subject,
        time=head.time,
        traceparent=head.traceparent or new_traceparent(),
        data=decode_json(data, known[head.type]),
    )


def _head(attributes: Mapping[str, str], known: Mapping[str, object]) -> _Attributes:
    problems: dict[str, str] = {}
    head: _Attributes | None = None
    try:
        head = convert(dict(attributes), _Attributes)
    except InvalidMessageError as error:
        problems |= error.fields
    if (kind := attributes.get("ce-type")) is not None and kind not in known:
        problems["$.ce-type"] = f"expected {' or '.join(sorted(known))}, got {kind!r}"
    if (trace := attributes.get("ce-traceparent")) is not None and not is_traceparent(trace):
        problems["$.ce-traceparent"] = "not a W3C traceparent"
    if head is None or problems:
        raise InvalidMessageError(problems)
    return head


def _rfc3339(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
