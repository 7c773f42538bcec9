"""Our messages as CloudEvents 1.0, in the Pub/Sub binding's binary mode: `ce-*` attributes and JSON data.

Source: https://github.com/cloudevents/spec, CloudEvents 1.0.2 and its Google Pub/Sub protocol binding.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, Literal, TypeVar, cast

import msgspec

from events.errors import InvalidMessageError
from events.ids import event_id
from events.messages import EVENT_TYPES, Message, ResultCompleted, ResultFailed, Time
from events.trace import known_traceparent, new_traceparent
from events.validation import convert, decode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Event", "Outgoing", "decode", "decode_result", "job_event"]

M = TypeVar("M", bound=Message)
T = TypeVar("T")

_JSON: Final = "application/json"


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
            "content-type": _JSON,
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
    traceparent: str = ""


def decode(data: bytes | str, attributes: Mapping[str, str], *kinds: type[M]) -> Event[M]:
    """The event in a Pub/Sub message, which must be of one of `kinds`.

    A trace that can't be followed is no reason to refuse a message: it starts a new one.
    Raises `InvalidMessageError` naming every invalid attribute and, where the type is known, field of the data.
    """
    known: dict[str, type[Any]] = {kind.type: kind for kind in kinds or EVENT_TYPES}
    problems: dict[str, str] = {}
    head = _attempt(problems, lambda: convert(dict(attributes), _Attributes))
    kind = attributes.get("ce-type", "")
    message = _attempt(problems, lambda: decode_json(data, known[kind])) if kind in known else None
    if "ce-type" in attributes and kind not in known:
        problems["$.ce-type"] = f"expected {' or '.join(sorted(known))}, got {kind!r}"
    content_type = attributes.get("content-type", _JSON)
    if content_type.partition(";")[0].strip().lower() != _JSON:
        problems["$.content-type"] = f"expected {_JSON}, got {content_type!r}"
    if head is None or message is None or problems:
        raise InvalidMessageError(problems)
    return Event(
        id=head.id,
        source=head.source,
        subject=head.subject,
        time=head.time,
        traceparent=known_traceparent(head.traceparent) or new_traceparent(),
        data=message,
    )


def _attempt(problems: dict[str, str], decode: Callable[[], T]) -> T | None:
    """What `decode` gives, or None and one more problem at least."""
    try:
        return decode()
    except InvalidMessageError as error:
        problems |= error.fields
        return None


def _rfc3339(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
