"""A subscriber on the results topic, as anybody could write one."""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING, NamedTuple, Self

import grpc
from google.api_core.exceptions import NotFound
from google.cloud import pubsub_v1
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from events.envelope import decode_result

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from google.cloud.pubsub_v1.subscriber.message import Message as Received

    from events.envelope import Event
    from events.messages import ResultCompleted, ResultFailed

__all__ = ["Notification", "Notifications"]


class Notification(NamedTuple):
    """`received_at` in seconds since the epoch."""

    event: Event[ResultCompleted | ResultFailed]
    received_at: float

    @property
    def result(self) -> ResultCompleted | ResultFailed:
        return self.event.data


class Notifications:
    """Use as a context manager: the subscription exists as long as it is open. Keeps every delivery, by job."""

    def __init__(
        self,
        project: str,
        emulator: str,
        *,
        topic: str = "results",
        on_each: Callable[[Notification], None] | None = None,
    ) -> None:
        channel = grpc.insecure_channel(emulator)
        self._client = pubsub_v1.SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        self._topic = self._client.topic_path(project, topic)
        self._subscription = self._client.subscription_path(project, f"{topic}-{uuid.uuid4().hex[:12]}")
        self._on_each = on_each
        self._arrived = threading.Condition()
        self._by_job: dict[str, list[Notification]] = {}

    def __enter__(self) -> Self:
        self._client.create_subscription(name=self._subscription, topic=self._topic)
        self._pull = self._client.subscribe(self._subscription, callback=self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pull.cancel()
        self._pull.result(timeout=10)
        try:
            self._client.delete_subscription(subscription=self._subscription)
        except NotFound:
            pass
        finally:
            self._client.close()

    def wait_for(self, job_id: str, *, seconds: float) -> Notification:
        """The first notification of that job. Raises `TimeoutError`."""
        deadline = time.monotonic() + seconds
        with self._arrived:
            while not self._by_job.get(job_id):
                if not self._arrived.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise TimeoutError(f"no notification of job {job_id} within {seconds:.0f} s")
            return self._by_job[job_id][0]

    def of(self, job_id: str) -> list[Notification]:
        """Every delivery so far, duplicates included."""
        with self._arrived:
            return list(self._by_job.get(job_id, ()))

    def _receive(self, message: Received) -> None:
        now = time.time()
        event = decode_result(message.data, dict(message.attributes))
        notification = Notification(event, now)
        with self._arrived:
            self._by_job.setdefault(event.data.job_id, []).append(notification)
            self._arrived.notify_all()
        if self._on_each is not None:
            self._on_each(notification)
        message.ack()
