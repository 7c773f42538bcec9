"""What adapters talk to in these tests: HTTP servers that answer as told, and subscriptions of one test."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from local.topology import Subscription, declare
from tests.integration.stub_server import StubServer
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.pubsub_v1 import PubsubMessage


@pytest.fixture
def stub() -> Iterator[StubServer]:
    with StubServer() as server:
        yield server


class Subscriptions:
    """Makes topics and subscriptions that nobody else uses, and pulls from them."""

    def __init__(self, project: str, emulator: str, client: SubscriberClient) -> None:
        self._project = project
        self._emulator = emulator
        self._client = client

    def topic(self) -> str:
        name = f"topic-{uuid.uuid4().hex}"
        declare(self._project, self._emulator, [name], ())
        return name

    def subscribe(self, topic: str, **options: Any) -> str:
        name = f"{topic}-{uuid.uuid4().hex[:8]}"
        options.setdefault("dead_letters", None)
        declare(self._project, self._emulator, (), [Subscription(name=name, topic=topic, **options)])
        return name

    def pull(self, subscription: str, *, seconds: float = PATIENCE) -> PubsubMessage:
        """The next message, acknowledged."""
        path = f"projects/{self._project}/subscriptions/{subscription}"
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = self._client.pull(request={"subscription": path, "max_messages": 1}, timeout=seconds, retry=None)
            for received in answer.received_messages:
                self._client.acknowledge(subscription=path, ack_ids=[received.ack_id])
                return received.message
        raise AssertionError(f"no message on {subscription} within {seconds:g} s")


@pytest.fixture(scope="package")
def subscriptions(project: str, pubsub: str) -> Iterator[Subscriptions]:
    with grpc.insecure_channel(pubsub) as channel:
        yield Subscriptions(project, pubsub, SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)))


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses, for prefixes of objects."""
    return f"{request.node.name.split('[')[0]}-{uuid.uuid4().hex[:8]}"
