from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from events.messages import PubsubPush, StorageObject
from events.validation import convert, decode_json
from local.cloud_events import Message, gcs_finalized, message_published
from tests.events import load_event

AT = datetime(2026, 11, 23, 13, 0, 0, 250000, tzinfo=timezone(timedelta(hours=1)))


def notification(**changes: Any) -> Message:
    """What fake-gcs-server publishes."""
    resource = {
        "kind": "storage#object",
        "id": "uploads/acme/job#7",
        "name": "acme/job",
        "bucket": "uploads",
        "generation": "7",
        "contentType": "image/png",
        "timeCreated": "2026-11-23T12:00:00.25Z",
        "updated": "2026-11-23T12:00:00.26Z",
        "storageClass": "STANDARD",
        "size": "2",
        "md5Hash": "SfaKXIST7CwL9ImCHCH8Ow==",
        "crc32c": "9Z3Zwg==",
        "metadata": {"recipes": "[{}]"},
    } | changes
    return Message(id="11", data=json.dumps(resource).encode(), attributes={}, published_at=AT)


def test_a_finalized_object_has_the_fields_that_the_service_sends() -> None:
    body = json.loads(gcs_finalized(notification()).body)
    assert body["id"] == "uploads/acme/job/7"
    assert body["metageneration"] == "1"
    assert body["timeStorageClassUpdated"] == body["timeCreated"] == "2026-11-23T12:00:00.25Z"
    assert body["selfLink"] == "https://www.googleapis.com/storage/v1/b/uploads/o/acme%2Fjob"
    assert body["mediaLink"].endswith("/download/storage/v1/b/uploads/o/acme%2Fjob?generation=7&alt=media")
    assert body["metadata"] == {"recipes": "[{}]"}
    assert convert(body, StorageObject).metadata == {"recipes": "[{}]"}


def test_what_the_emulator_says_is_not_replaced() -> None:
    body = json.loads(gcs_finalized(notification(metageneration="3", etag="E")).body)
    assert (body["metageneration"], body["etag"]) == ("3", "E")


def test_a_name_is_quoted_in_the_subject() -> None:
    headers = gcs_finalized(notification(name="a/b ü?\r\n")).headers
    assert headers["ce-subject"] == "objects/a/b%20%C3%BC%3F%0D%0A"


@pytest.mark.parametrize("data", [b"", b"text", b"[]", b"{}"])
def test_a_message_that_is_no_notification_is_refused(data: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, KeyError)):
        gcs_finalized(Message(id="1", data=data, attributes={}, published_at=AT))


def published(attempt: int | None = None) -> dict[str, Any]:
    message = Message(id="11", data=b"\xff", attributes={"a": "b"}, published_at=AT, attempt=attempt)
    request = message_published(message, project="p", topic="t", subscription="s")
    assert request.headers["ce-id"] == "11"
    assert request.headers["ce-time"] == "2026-11-23T12:00:00.250Z"
    body: dict[str, Any] = json.loads(request.body)
    return body


def test_a_message_is_wrapped_as_pubsub_wraps_it() -> None:
    body = published()
    assert body == {
        "message": {
            "data": "/w==",
            "attributes": {"a": "b"},
            "messageId": "11",
            "message_id": "11",
            "publishTime": "2026-11-23T12:00:00.250Z",
            "publish_time": "2026-11-23T12:00:00.250Z",
        },
        "subscription": "projects/p/subscriptions/s",
    }
    assert convert(body, PubsubPush).message.data == b"\xff"


def test_the_attempt_is_told_where_the_subscription_counts() -> None:
    assert published(attempt=3)["deliveryAttempt"] == 3


def test_the_recorded_events_are_what_the_handlers_read() -> None:
    stored = convert(load_event("gcs_finalized")["body"], StorageObject)
    assert (stored.bucket, stored.size) == ("uploads", "9")
    for name in ("pubsub_push", "pubsub_message_published"):
        push = decode_json(json.dumps(load_event(name)["body"]), PubsubPush)
        assert push.message.attributes["ce-type"] == "cutout.job.requested.v1"
    assert datetime.fromisoformat(load_event("gcs_finalized")["headers"]["ce-time"]).tzinfo == UTC
