"""The publisher, and the topology's subscriptions, on Google's emulator."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from cloud.pubsub import GooglePublisher
from events.errors import TransientError
from events.messages import PubsubPush
from events.validation import decode_json
from local import topology
from local.ports import LOOPBACK, free_ports
from tests.http_server import Answer

if TYPE_CHECKING:
    from jobs.ports import Publisher
    from tests.integration.adapters.conftest import Subscriptions
    from tests.integration.stub_server import StubServer

QUICK = (timedelta(milliseconds=100), timedelta(milliseconds=200))


def test_the_publisher_is_the_one_that_jobs_ask_for(publisher: GooglePublisher, subscriptions: Subscriptions) -> None:
    port: Publisher = publisher
    port.publish(subscriptions.topic(), b"", {"a": "b"})


def test_what_is_published_is_stored_with_its_attributes(
    publisher: GooglePublisher, subscriptions: Subscriptions
) -> None:
    topic = subscriptions.topic()
    subscription = subscriptions.subscribe(topic)
    attributes = {"ce-id": "1", "ce-type": "a.b.v1", "topic": "t", "data": "d", "retry": "r", "messages": "m"}

    publisher.publish(topic, b'{"a": "\xc3\xa4"}', attributes)

    message = subscriptions.pull(subscription)
    assert (message.data, dict(message.attributes)) == (b'{"a": "\xc3\xa4"}', attributes)


def test_a_topic_that_is_not_there_is_a_passing_failure(publisher: GooglePublisher) -> None:
    with pytest.raises(TransientError, match="publish to no-such-topic failed"):
        publisher.publish("no-such-topic", b"1", {})


def test_a_service_that_is_not_there_ends_at_the_deadline() -> None:
    publisher = GooglePublisher.connect(project="p", emulator=f"{LOOPBACK}:{free_ports(1)[0]}", deadline=1.0)
    started = time.monotonic()
    with pytest.raises(TransientError):
        publisher.publish("topic", b"1", {})
    assert time.monotonic() - started < 5
    publisher.close()


def test_the_environment_names_the_emulator(
    monkeypatch: pytest.MonkeyPatch, pubsub: str, project: str, subscriptions: Subscriptions
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub)
    publisher = GooglePublisher.connect(project=project)
    publisher.publish(subscriptions.topic(), b"1", {})
    publisher.close()


def test_a_push_is_the_wrapped_message(
    publisher: GooglePublisher, subscriptions: Subscriptions, stub: StubServer, project: str
) -> None:
    topic = subscriptions.topic()
    subscription = subscriptions.subscribe(topic, push_url=f"{stub.url}/jobs")

    publisher.publish(topic, b'{"a":1}', {"ce-id": "1"})

    asked = stub.next_request()
    assert (asked.method, asked.path, asked.headers["Content-Type"]) == ("POST", "/jobs", "application/json")
    push = decode_json(asked.body, PubsubPush)
    assert (push.message.data, push.message.attributes) == (b'{"a":1}', {"ce-id": "1"})
    assert push.subscription == f"projects/{project}/subscriptions/{subscription}"


def test_a_push_that_always_fails_becomes_a_dead_letter(
    publisher: GooglePublisher, subscriptions: Subscriptions, stub: StubServer
) -> None:
    topic, dead_letters = subscriptions.topic(), subscriptions.topic()
    kept = subscriptions.subscribe(dead_letters)
    subscription = subscriptions.subscribe(
        topic, push_url=stub.url, dead_letters=dead_letters, attempts=5, backoff=QUICK
    )
    stub.will_answer(Answer(503))

    publisher.publish(topic, b"poison", {"ce-id": "1"})

    message = subscriptions.pull(kept, seconds=40)
    assert message.data == b"poison"
    assert message.attributes["ce-id"] == "1"
    assert message.attributes["CloudPubSubDeadLetterSourceSubscription"] == subscription
    ids = {json.loads(stub.next_request().body)["message"]["messageId"] for _ in range(5)}
    assert len(ids) == 1
    assert stub.asked.empty()


def test_declaring_again_keeps_messages_and_moves_pushes_to_the_url_of_today(
    publisher: GooglePublisher, stub: StubServer, pubsub: str, project: str, subscriptions: Subscriptions
) -> None:
    topic = subscriptions.topic()
    nobody = f"http://{LOOPBACK}:{free_ports(1)[0]}"
    for url in (nobody, stub.url):
        subscription = topology.Subscription(
            name=f"{topic}-push", topic=topic, push_url=url, dead_letters=None, backoff=QUICK
        )
        topology.declare(project, pubsub, [topic], [subscription])
        if url == nobody:
            publisher.publish(topic, b"kept", {})
    assert decode_json(stub.next_request().body, PubsubPush).message.data == b"kept"


def test_the_local_cloud_can_be_declared_twice(pubsub: str, project: str) -> None:
    for _ in range(2):
        topology.declare(project, pubsub, topology.TOPICS, topology.subscriptions(worker_url=f"http://{LOOPBACK}:1"))
