"""Push lanes on Pub/Sub: a topic of their own with one subscription that pushes to the URL of a tag.

The worker takes nothing but pushes from inside, with the token of the push identity, so this is how the real ones
arrive. A subscription that a killed rollout leaves ends by itself after a day, the least that Pub/Sub takes; topics
stay, cost nothing, and go with the next rollout.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

import grpc
from google.api_core.exceptions import AlreadyExists
from google.pubsub_v1 import (
    ExpirationPolicy,
    PublisherClient,
    PubsubMessage,
    PushConfig,
    RetryPolicy,
    SubscriberClient,
    Subscription,
)
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from events.errors import NotFoundError
from rollout.google import TIMEOUT, reporting, retry

if TYPE_CHECKING:
    from events.envelope import Outgoing

__all__ = ["GooglePushLanes"]

_DAY: Final = timedelta(days=1)
_KEPT: Final = timedelta(minutes=10)
_ACK_SECONDS: Final = 600
_PAUSE: Final = timedelta(seconds=10)


class GooglePushLanes:
    """`rollout.ports.PushLanes` of one project. The connection is opened by the first call."""

    def __init__(
        self, publisher: PublisherClient, subscriber: SubscriberClient, *, project: str, deadline: float = 60.0
    ) -> None:
        self._publisher = publisher
        self._subscriber = subscriber
        self._project = f"projects/{project}"
        self._retry = retry(deadline)

    @classmethod
    def connect(cls, *, project: str) -> Self:
        """Pub/Sub at `PUBSUB_EMULATOR_HOST` (`host:port`), else the real one."""
        host = os.environ.get("PUBSUB_EMULATOR_HOST")
        if not host:
            return cls(PublisherClient(), SubscriberClient(), project=project)
        return cls.over(grpc.insecure_channel(host), project=project)

    @classmethod
    def over(cls, channel: grpc.Channel, *, project: str, deadline: float = 60.0) -> Self:
        publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        return cls(publisher, subscriber, project=project, deadline=deadline)

    def open(self, name: str, *, endpoint: str, account: str, audience: str) -> None:
        token = PushConfig.OidcToken(service_account_email=account, audience=audience)
        subscription = Subscription(
            name=self._subscription(name),
            topic=self._topic(name),
            push_config=PushConfig(push_endpoint=endpoint, oidc_token=token),
            ack_deadline_seconds=_ACK_SECONDS,
            message_retention_duration=_KEPT,
            retry_policy=RetryPolicy(minimum_backoff=_PAUSE, maximum_backoff=_PAUSE),
            expiration_policy=ExpirationPolicy(ttl=_DAY),
        )
        with reporting(f"make {name}"):
            with suppress(AlreadyExists):
                self._publisher.create_topic(name=self._topic(name), retry=self._retry, timeout=TIMEOUT)
            with suppress(AlreadyExists):
                self._subscriber.create_subscription(subscription, retry=self._retry, timeout=TIMEOUT)

    def publish(self, name: str, message: Outgoing) -> None:
        sent = PubsubMessage(data=message.data.encode(), attributes=message.attributes)
        with reporting(f"publish to {name}"):
            self._publisher.publish(topic=self._topic(name), messages=[sent], retry=self._retry, timeout=TIMEOUT)

    def close(self, name: str) -> None:
        with suppress(NotFoundError), reporting(f"remove {name}"):
            self._subscriber.delete_subscription(
                subscription=self._subscription(name), retry=self._retry, timeout=TIMEOUT
            )
        with suppress(NotFoundError), reporting(f"remove {name}"):
            self._publisher.delete_topic(topic=self._topic(name), retry=self._retry, timeout=TIMEOUT)

    def names(self, prefix: str) -> tuple[str, ...]:
        """By their topics, which are made first and deleted last."""
        with reporting(f"list {prefix}*"):
            listed = self._publisher.list_topics(project=self._project, retry=self._retry, timeout=TIMEOUT)
            names = [topic.name.rpartition("/")[2] for topic in listed]
        return tuple(name for name in names if name.startswith(prefix))

    def disconnect(self) -> None:
        self._publisher.transport.close()
        self._subscriber.transport.close()

    def _topic(self, name: str) -> str:
        return f"{self._project}/topics/{name}"

    def _subscription(self, name: str) -> str:
        return f"{self._project}/subscriptions/{name}"
