"""Pub/Sub as a `Publisher`.

Publishes by the plain unary call: an event is published where a handler waits for it before it acknowledges, so
batching in background threads, as the hand-written client does it, would only add its window to every job.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Self

import grpc
from google.api_core.exceptions import (
    Aborted,
    Cancelled,
    DeadlineExceeded,
    GoogleAPIError,
    InternalServerError,
    ResourceExhausted,
    ServiceUnavailable,
    Unknown,
)
from google.api_core.retry import Retry, if_exception_type
from google.api_core.timeout import ConstantTimeout
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PublisherClient, PubsubMessage
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from events.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEADLINE_SECONDS", "GooglePublisher"]

DEADLINE_SECONDS: Final = 30.0
"""A call starts no further attempt after this time."""

_ATTEMPT_SECONDS: Final = 10.0
_REPEATABLE: Final = if_exception_type(
    Aborted, Cancelled, DeadlineExceeded, InternalServerError, ResourceExhausted, ServiceUnavailable, Unknown
)
"""What the service names as passing (https://cloud.google.com/pubsub/docs/reference/error-codes). A repeated publish
may store the message twice, as any delivery may; its event id tells."""


class GooglePublisher:
    """`jobs.ports.Publisher` over the real service, or over an emulator. Thread-safe.

    The connection is opened by the first call. What fails within the deadline, wrong credentials and missing topics
    included, raises `TransientError`.
    """

    def __init__(self, client: PublisherClient, *, project: str, deadline: float = DEADLINE_SECONDS) -> None:
        self._client = client
        self._project = project
        self._retry = Retry(predicate=_REPEATABLE, initial=0.1, maximum=5.0, multiplier=2.0, timeout=deadline)
        self._timeout = ConstantTimeout(min(_ATTEMPT_SECONDS, deadline))

    @classmethod
    def connect(cls, *, project: str, emulator: str | None = None, deadline: float = DEADLINE_SECONDS) -> Self:
        """A publisher at `emulator` (`host:port`), else at `PUBSUB_EMULATOR_HOST`, else at the real service."""
        host = emulator or os.environ.get("PUBSUB_EMULATOR_HOST")
        if host:
            client = PublisherClient(transport=PublisherGrpcTransport(channel=grpc.insecure_channel(host)))
        else:
            client = PublisherClient()
        return cls(client, project=project, deadline=deadline)

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        """Return only once the service has stored the message. `topic` is a short name, at most 10 MB go at once."""
        try:
            self._client.publish(
                topic=f"projects/{self._project}/topics/{topic}",
                messages=[PubsubMessage(data=data, attributes=dict(attributes))],
                retry=self._retry,
                timeout=self._timeout,
            )
        except (GoogleAPIError, GoogleAuthError) as error:
            raise TransientError(f"pubsub: publish to {topic} failed: {error}", topic=topic) from error

    def close(self) -> None:
        self._client.transport.close()
