"""From a photo in the bucket, or a message on a topic, to the request that a function gets."""

from __future__ import annotations

import json
import signal
import uuid
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING, NamedTuple

import pytest
from functions_framework import create_app

from local.bridge import bridge
from local.processes import Supervisor
from local.topology import UPLOADS_BUCKET, UPLOADS_TOPIC, Trigger
from tests import asking
from tests.events import load_event
from tests.http_server import Answer
from tests.integration.stub_server import StubServer
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cloud.pubsub import GooglePublisher
    from cloud.storage import GoogleObjectStore
    from local.fake_gcs import FakeGcs
    from local.processes import Process
    from tests.http_server import Asked
    from tests.integration.adapters.conftest import Subscriptions

QUICK = (timedelta(milliseconds=100), timedelta(milliseconds=500))
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Bridged(NamedTuple):
    """A function that gets the events of both kinds, and how to cause them."""

    function: StubServer
    topic: str
    subscription: str
    process: Process


@pytest.fixture
def bridged(
    stub: StubServer, subscriptions: Subscriptions, storage: FakeGcs, pubsub: str, project: str, tmp_path: Path
) -> Iterator[Bridged]:
    topic = subscriptions.topic()
    subscription = subscriptions.subscribe(topic, backoff=QUICK)
    uploads = subscriptions.subscribe(UPLOADS_TOPIC, backoff=QUICK)
    triggers = [
        Trigger(kind="finalized", subscription=uploads, topic=UPLOADS_TOPIC, url=f"{stub.url}/on_upload"),
        Trigger(kind="published", subscription=subscription, topic=topic, url=f"{stub.url}/render"),
    ]
    with Supervisor(tmp_path / "logs") as supervisor:
        process = supervisor.start(bridge(project, pubsub, triggers, state=tmp_path))
        yield Bridged(stub, topic, subscription, process)


def put(storage: FakeGcs, name: str, data: bytes) -> None:
    """As a browser does it; the emulator takes any signature."""
    answer = asking.put(
        f"{storage.url}/{UPLOADS_BUCKET}/{name}",
        params={"X-Goog-Algorithm": "GOOG4-RSA-SHA256"},
        content=data,
        headers={
            "Content-Type": "image/jpeg",
            "x-goog-meta-recipes": '[{"effect":"none"}]',
            "x-goog-meta-traceparent": TRACEPARENT,
        },
    )
    answer.raise_for_status()


def cloud_event_headers(asked: Asked) -> dict[str, str]:
    return {name: value for name, value in asked.headers.items() if name.lower().startswith("ce-")}


def test_an_upload_reaches_the_function_as_eventarc_sends_it(
    bridged: Bridged, storage: FakeGcs, store: GoogleObjectStore
) -> None:
    name = f"acme/{uuid.uuid4()}"
    put(storage, name, b"photo")

    asked = bridged.function.next_request()

    stat = store.stat(UPLOADS_BUCKET, name)
    assert stat is not None
    body = json.loads(asked.body)
    assert (asked.method, asked.path, asked.headers["content-type"]) == ("POST", "/on_upload", "application/json")
    assert cloud_event_headers(asked) == {
        "ce-specversion": "1.0",
        "ce-id": asked.headers["ce-id"],
        "ce-type": "google.cloud.storage.object.v1.finalized",
        "ce-source": "//storage.googleapis.com/projects/_/buckets/uploads",
        "ce-subject": f"objects/{name}",
        "ce-time": body["timeCreated"],
        "ce-bucket": "uploads",
    }
    assert (body["bucket"], body["name"], body["contentType"]) == ("uploads", name, "image/jpeg")
    assert (body["size"], body["generation"], body["metageneration"]) == ("5", str(stat.generation), "1")
    assert body["metadata"] == {"recipes": '[{"effect":"none"}]', "traceparent": TRACEPARENT}
    assert set(body) == set(load_event("gcs_finalized")["body"])


def test_an_object_in_another_bucket_is_no_event(
    bridged: Bridged, storage: FakeGcs, store: GoogleObjectStore, unique: str
) -> None:
    store.create("results", unique, b"1", content_type="image/png")
    put(storage, unique, b"photo")
    assert json.loads(bridged.function.next_request().body)["bucket"] == "uploads"
    assert bridged.function.asked.empty()


def test_a_message_reaches_the_function_as_eventarc_sends_it(
    bridged: Bridged, publisher: GooglePublisher, project: str
) -> None:
    publisher.publish(bridged.topic, b'{"a":1}', {"ce-id": "1", "ce-type": "t"})

    asked = bridged.function.next_request()

    body = json.loads(asked.body)
    message = body["message"]
    assert (asked.method, asked.path, asked.headers["content-type"]) == ("POST", "/render", "application/json")
    assert cloud_event_headers(asked) == {
        "ce-specversion": "1.0",
        "ce-id": message["messageId"],
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-source": f"//pubsub.googleapis.com/projects/{project}/topics/{bridged.topic}",
        "ce-time": message["publishTime"],
    }
    assert (message["data"], message["attributes"]) == ("eyJhIjoxfQ==", {"ce-id": "1", "ce-type": "t"})
    assert body["subscription"] == f"projects/{project}/subscriptions/{bridged.subscription}"


def test_a_refused_event_comes_again_until_it_is_taken(bridged: Bridged, publisher: GooglePublisher) -> None:
    bridged.function.will_answer(Answer(500), Answer(404), Answer(200))

    publisher.publish(bridged.topic, b"1", {})

    asked = [bridged.function.next_request() for _ in range(3)]
    assert len({each.headers["ce-id"] for each in asked}) == 1
    assert asked[1].at - asked[0].at >= 0.03


def test_an_event_waits_for_a_function_that_is_down(
    subscriptions: Subscriptions, publisher: GooglePublisher, pubsub: str, project: str, tmp_path: Path
) -> None:
    with StubServer() as first:
        url = first.url
    topic = subscriptions.topic()
    subscription = subscriptions.subscribe(topic, backoff=QUICK)
    trigger = Trigger(kind="published", subscription=subscription, topic=topic, url=f"{url}/render")
    with Supervisor(tmp_path / "logs") as supervisor:
        process = supervisor.start(bridge(project, pubsub, [trigger], state=tmp_path))
        publisher.publish(topic, b"1", {})
        until(process.log_tail, lambda tail: "refused" in tail)
        with StubServer(port=int(url.rpartition(":")[2])) as again:
            assert again.next_request().path == "/render"


def test_events_are_delivered_beside_each_other(bridged: Bridged, publisher: GooglePublisher) -> None:
    together = Barrier(4)

    def answer(_: Asked) -> Answer:
        together.wait(timeout=PATIENCE)
        return Answer()

    bridged.function.will_answer(answer)
    for index in range(4):
        publisher.publish(bridged.topic, str(index).encode(), {})
    for _ in range(4):
        bridged.function.next_request()
    assert not together.broken


def test_a_stop_lets_the_call_under_way_end_and_is_clean(bridged: Bridged, publisher: GooglePublisher) -> None:
    begun, stopping = Barrier(2), Barrier(2)

    def answer(_: Asked) -> Answer:
        begun.wait(timeout=PATIENCE)
        stopping.wait(timeout=PATIENCE)
        return Answer()

    bridged.function.will_answer(answer)
    publisher.publish(bridged.topic, b"1", {})
    begun.wait(timeout=PATIENCE)
    bridged.process.signal(signal.SIGTERM)
    stopping.wait(timeout=PATIENCE)

    assert until(lambda: bridged.process.exit_code, lambda code: code is not None) == 0
    assert "delivered" in bridged.process.log_tail()


def test_what_a_killed_bridge_had_not_delivered_comes_again(
    bridged: Bridged, publisher: GooglePublisher, pubsub: str, project: str, tmp_path: Path
) -> None:
    begun = Barrier(2)

    def answer(_: Asked) -> Answer:
        begun.wait(timeout=PATIENCE)
        begun.wait(timeout=PATIENCE)
        return Answer()

    bridged.function.will_answer(answer, Answer())
    publisher.publish(bridged.topic, b"1", {})
    begun.wait(timeout=PATIENCE)
    bridged.process.kill()
    first = bridged.function.next_request()
    begun.wait(timeout=PATIENCE)

    trigger = Trigger(
        kind="published",
        subscription=bridged.subscription,
        topic=bridged.topic,
        url=f"{bridged.function.url}/render",
    )
    with Supervisor(tmp_path / "again") as supervisor:
        supervisor.start(bridge(project, pubsub, [trigger], state=tmp_path))
        again = bridged.function.next_request(seconds=90)
    assert again.headers["ce-id"] == first.headers["ce-id"]


@pytest.mark.parametrize("name", ["gcs_finalized", "pubsub_message_published"])
def test_functions_framework_understands_the_recorded_requests(name: str, tmp_path: Path) -> None:
    """The data a function sees is the body, decoded."""
    source = tmp_path / "main.py"
    source.write_text(
        "import json, pathlib\n"
        "def receive(event):\n"
        "    told = {'type': event['type'], 'data': event.data}\n"
        f"    pathlib.Path({str(tmp_path / 'seen.json')!r}).write_text(json.dumps(told))\n"
    )
    recorded = load_event(name)
    client = create_app("receive", str(source), "cloudevent").test_client()

    answer = client.post("/", headers=recorded["headers"], data=json.dumps(recorded["body"]))

    assert answer.status_code == 200
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen == {"type": recorded["headers"]["ce-type"], "data": recorded["body"]}
