"""Buckets, topics and subscriptions of the local cloud, as data, and their creation on the emulators.

The emulators' equivalent of `terraform/`. Push subscriptions call the worker. Eventarc's subscriptions are pulled by
`local.bridge`, which calls the functions.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, Self, get_args

import grpc
from google.api_core.exceptions import AlreadyExists
from google.pubsub_v1 import DeadLetterPolicy, PublisherClient, PushConfig, RetryPolicy, SubscriberClient
from google.pubsub_v1 import Subscription as SubscriptionRequest
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ASSETS_BUCKET",
    "BACKOFF",
    "BUCKETS",
    "DEAD_LETTERS_BUCKET",
    "TENANT",
    "TOPICS",
    "UPLOADS_BUCKET",
    "UPLOADS_TOPIC",
    "Subscription",
    "Trigger",
    "declare",
    "subscriptions",
    "triggers",
]

TENANT: Final = "demo"
"""Whose the shop is that the system starts with."""
UPLOADS_BUCKET: Final = "uploads"
UPLOADS_TOPIC: Final = "uploads-finalized"
"""Where fake-gcs-server tells of uploads. In the cloud, Eventarc keeps such a topic of its own."""
DEAD_LETTERS_BUCKET: Final = "dead-letters"
ASSETS_BUCKET: Final = "assets"
BUCKETS: Final = (UPLOADS_BUCKET, "mattes", "results", "jobs", ASSETS_BUCKET, DEAD_LETTERS_BUCKET)
TOPICS: Final = (
    UPLOADS_TOPIC,
    "jobs",
    "renders",
    "results",
    "deliveries",
    "costs",
    "alerts",
    "ticks",
    "warmups",
    "dead-letters",
)

_ACK_DEADLINE: Final = timedelta(seconds=600)
BACKOFF: Final = (timedelta(milliseconds=500), timedelta(seconds=10))
"""The shortest and the longest pause of a retry. In the cloud 10 s and 600 s: nobody waits that long at a terminal."""
_ATTEMPTS: Final = 5
_COST_ATTEMPTS: Final = 100
"""All that Pub/Sub allows, for BigQuery may be away for long: 16 hours with the cloud's pauses. What can never be a row
gives `record_cost` to the dead letters itself."""
_ALERT_ATTEMPTS: Final = 20
_ALERT_PATIENCE: Final = 2
"""So many times the usual pauses: together they outlast a claim on the alert by an instance that died."""
_SOON_OR_NEVER: Final = timedelta(minutes=10)
"""The shortest retention there is: a late warm-up would keep a worker for nobody."""

Kind = Literal["finalized", "published"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Unacknowledged messages come again after a growing pause, `attempts` times, then go to `dead_letters`.

    `push_url` None is a subscription that is pulled. After `retention` a message is dropped (None: seven days).
    """

    name: str
    topic: str
    push_url: str | None = None
    backoff: tuple[timedelta, timedelta] = BACKOFF
    attempts: int = _ATTEMPTS
    dead_letters: str | None = "dead-letters"
    retention: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What Eventarc delivers: the events of a subscription, as CloudEvents of that kind, to a function's URL."""

    kind: Kind
    subscription: str
    topic: str
    url: str

    @classmethod
    def parse(cls, kind: str, subscription: str, topic: str, url: str) -> Self:
        """Raises `ValueError` for an unknown kind."""
        kinds: tuple[Kind, ...] = get_args(Kind)
        for known in kinds:
            if kind == known:
                return cls(kind=known, subscription=subscription, topic=topic, url=url)
        raise ValueError(f"a trigger is of kind {' or '.join(kinds)}, not {kind!r}")


def subscriptions(*, worker_url: str, backoff: tuple[timedelta, timedelta] = BACKOFF) -> tuple[Subscription, ...]:
    """All of them. `worker_url` takes `POST /jobs` and `POST /warmup`."""
    return (
        Subscription(name="jobs-worker", topic="jobs", push_url=f"{worker_url}/jobs", backoff=backoff),
        Subscription(name="on-upload", topic=UPLOADS_TOPIC, backoff=backoff),
        Subscription(name="render", topic="renders", backoff=backoff),
        Subscription(name="notify", topic="results", backoff=backoff),
        Subscription(name="deliver", topic="deliveries", backoff=backoff),
        Subscription(name="record-cost", topic="costs", backoff=backoff, attempts=_COST_ATTEMPTS),
        Subscription(
            name="on-alert",
            topic="alerts",
            backoff=(_ALERT_PATIENCE * backoff[0], _ALERT_PATIENCE * backoff[1]),
            attempts=_ALERT_ATTEMPTS,
        ),
        Subscription(name="on-dead-letter", topic="dead-letters", backoff=backoff, dead_letters=None),
        Subscription(name="warm", topic="ticks", backoff=backoff, dead_letters=None, retention=_SOON_OR_NEVER),
        Subscription(
            name="warmups-worker",
            topic="warmups",
            push_url=f"{worker_url}/warmup",
            backoff=backoff,
            dead_letters=None,
            retention=_SOON_OR_NEVER,
        ),
    )


def triggers(*, events_url: str) -> tuple[Trigger, ...]:
    """All of them. Each function answers at its name under `events_url`."""
    return (
        Trigger(kind="finalized", subscription="on-upload", topic=UPLOADS_TOPIC, url=f"{events_url}/on_upload"),
        Trigger(kind="published", subscription="render", topic="renders", url=f"{events_url}/render"),
        Trigger(kind="published", subscription="notify", topic="results", url=f"{events_url}/notify"),
        Trigger(kind="published", subscription="deliver", topic="deliveries", url=f"{events_url}/deliver"),
        Trigger(kind="published", subscription="record-cost", topic="costs", url=f"{events_url}/record_cost"),
        Trigger(kind="published", subscription="on-alert", topic="alerts", url=f"{events_url}/on_alert"),
        Trigger(
            kind="published", subscription="on-dead-letter", topic="dead-letters", url=f"{events_url}/on_dead_letter"
        ),
        Trigger(kind="published", subscription="warm", topic="ticks", url=f"{events_url}/warm"),
    )


def declare(project: str, emulator: str, topics: Iterable[str], subscriptions: Iterable[Subscription]) -> None:
    """Create what is not there yet, and point push subscriptions to their URL of today.

    A subscription's topics, that of its dead letters included, must be there or among `topics`.
    """
    channel = grpc.insecure_channel(emulator)
    publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
    subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
    with channel:
        for topic in topics:
            with suppress(AlreadyExists):
                publisher.create_topic(name=f"projects/{project}/topics/{topic}")
        for subscription in subscriptions:
            request = _request(project, subscription)
            try:
                subscriber.create_subscription(request=request)
            except AlreadyExists:
                subscriber.modify_push_config(subscription=request.name, push_config=request.push_config)


def _request(project: str, subscription: Subscription) -> SubscriptionRequest:
    shortest, longest = subscription.backoff
    request = SubscriptionRequest(
        name=f"projects/{project}/subscriptions/{subscription.name}",
        topic=f"projects/{project}/topics/{subscription.topic}",
        ack_deadline_seconds=int(_ACK_DEADLINE.total_seconds()),
        retry_policy=RetryPolicy(minimum_backoff=shortest, maximum_backoff=longest),
        push_config=PushConfig(push_endpoint=subscription.push_url or ""),
    )
    if subscription.retention is not None:
        request.message_retention_duration = subscription.retention
    if subscription.dead_letters is not None:
        request.dead_letter_policy = DeadLetterPolicy(
            dead_letter_topic=f"projects/{project}/topics/{subscription.dead_letters}",
            max_delivery_attempts=subscription.attempts,
        )
    return request
