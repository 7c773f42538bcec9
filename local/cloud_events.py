"""The HTTP requests that Eventarc makes of Pub/Sub messages: CloudEvents 1.0 in binary mode.

Sources: https://cloud.google.com/eventarc/docs/cloudevents, and the data types of
https://github.com/googleapis/google-cloudevents.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

import msgspec
from cloudevents.conversion import to_binary
from cloudevents.http import CloudEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EventRequest", "Message", "gcs_finalized", "message_published"]

FINALIZED: Final = "google.cloud.storage.object.v1.finalized"
PUBLISHED: Final = "google.cloud.pubsub.topic.v1.messagePublished"

_STORAGE: Final = "https://www.googleapis.com"


class Message(NamedTuple):
    """A message as a subscription delivers it. `attempt` counts from 1, where the subscription has dead letters."""

    id: str
    data: bytes
    attributes: Mapping[str, str]
    published_at: datetime
    attempt: int | None = None


class EventRequest(NamedTuple):
    """Headers and body of a POST."""

    headers: dict[str, str]
    body: bytes


def gcs_finalized(message: Message) -> EventRequest:
    """From the notification that Cloud Storage, or its emulator, publishes of an object.

    What the emulator leaves out of the object resource is filled in as the service does it.
    Raises `msgspec.DecodeError` or `KeyError` for a message that is no such notification.
    """
    resource: dict[str, Any] = _completed(msgspec.json.decode(message.data, type=dict[str, Any]))
    bucket, name = resource["bucket"], resource["name"]
    attributes = {
        "source": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
        "type": FINALIZED,
        "subject": quote(f"objects/{name}", safe="/~"),
        "time": resource["timeCreated"],
        "bucket": bucket,
    }
    return _request(message, attributes, resource)


def message_published(message: Message, *, project: str, topic: str, subscription: str) -> EventRequest:
    """From any message. Names come twice, as Pub/Sub writes them: in camel case and with underscores."""
    published = _rfc3339(message.published_at)
    body: dict[str, Any] = {
        "message": {
            "data": base64.b64encode(message.data).decode(),
            "attributes": dict(message.attributes),
            "messageId": message.id,
            "message_id": message.id,
            "publishTime": published,
            "publish_time": published,
        },
        "subscription": f"projects/{project}/subscriptions/{subscription}",
    }
    if message.attempt is not None:
        body["deliveryAttempt"] = message.attempt
    attributes = {
        "source": f"//pubsub.googleapis.com/projects/{project}/topics/{topic}",
        "type": PUBLISHED,
        "time": published,
    }
    return _request(message, attributes, body)


def _request(message: Message, attributes: dict[str, str], data: dict[str, Any]) -> EventRequest:
    common = {"id": message.id, "datacontenttype": "application/json"}
    headers, body = to_binary(CloudEvent.create(common | attributes, data), data_marshaller=msgspec.json.encode)
    return EventRequest(headers, body)


def _completed(resource: dict[str, Any]) -> dict[str, Any]:
    bucket, name, generation = resource["bucket"], resource["name"], resource["generation"]
    path = f"b/{bucket}/o/{quote(name, safe='')}"
    added = {
        "metageneration": "1",
        "timeStorageClassUpdated": resource["timeCreated"],
        "etag": base64.b64encode(f"{generation}/1".encode()).decode(),
        "selfLink": f"{_STORAGE}/storage/v1/{path}",
        "mediaLink": f"{_STORAGE}/download/storage/v1/{path}?generation={generation}&alt=media",
    }
    return added | resource | {"id": f"{bucket}/{name}/{generation}"}


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
