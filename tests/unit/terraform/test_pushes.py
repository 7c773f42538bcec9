"""A subscription may push straight to a function: the message arrives as it would by Eventarc."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from functions_framework import create_app

from events.messages import PubsubPush
from events.validation import convert
from functions import main, on_alert, warm
from local import cloud_events
from tests.unit.terraform.module import local_values, resources
from tests.unit.terraform.test_settings import VALUES, set_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from cloudevents.http import CloudEvent

SOURCE: Final = str(Path(main.__file__))
PUBLISHED_AT: Final = "2026-11-23T12:00:00.250Z"


def push(data: bytes, attributes: dict[str, str]) -> dict[str, Any]:
    """Source: https://cloud.google.com/pubsub/docs/push#receive_push."""
    message = {"messageId": "17", "message_id": "17", "publishTime": PUBLISHED_AT, "publish_time": PUBLISHED_AT}
    if attributes:
        message["attributes"] = attributes  # type: ignore[assignment]  # the only one that is no text
    if data:
        message["data"] = base64.b64encode(data).decode()
    return {"message": message, "subscription": "projects/cutout-test/subscriptions/warm", "deliveryAttempt": 2}


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType, dict[str, Any]], list[CloudEvent]]:
    """What a function, deployed as one that answers HTTP, gets of a push."""

    def receive(function: ModuleType, body: dict[str, Any]) -> list[CloudEvent]:
        name = function.__name__.rpartition(".")[2]
        events: list[CloudEvent] = []
        for variable in set_for(name):
            monkeypatch.setenv(variable, "off" if variable == "METRICS" else VALUES[variable])
        monkeypatch.setattr(function, "build", lambda _: events.append)
        client = create_app(name, SOURCE, "http").test_client()
        assert client.post("/", json=body).status_code == 200
        return events

    return receive


def test_a_function_gets_a_cloud_event_of_a_push(received: Any) -> None:
    (event,) = received(on_alert, push(b'{"version":"test"}', {"origin": "monitoring"}))
    assert event["type"] == cloud_events.PUBLISHED
    assert event["id"] == "17"
    assert event["time"] == PUBLISHED_AT
    message = convert(event.data, PubsubPush).message
    assert (message.data, message.attributes) == (b'{"version":"test"}', {"origin": "monitoring"})
    assert message.message_id == "17"


def test_the_schedulers_tick_arrives(received: Any) -> None:
    target = resources("google_cloud_scheduler_job")["warm"]["pubsub_target"][0]
    assert target["data"] == '${base64encode("{}")}'
    (event,) = received(warm, push(b"{}", target["attributes"]))
    assert convert(event.data, PubsubPush).message.attributes == {"tick": "warm"}


def test_every_function_that_is_pushed_to_takes_events() -> None:
    pushed = {given["function"] for given in local_values()["subscriptions"].values() if "function" in given}
    assert pushed | {"on_upload"} == set(main.FUNCTIONS) - main._BY_HTTP


def test_a_body_that_is_no_push_is_refused(received: Any) -> None:
    with pytest.raises(AssertionError):
        received(on_alert, msgspec.json.decode(b'{"hello": "world"}'))
