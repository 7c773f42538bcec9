"""What the topics carry, as it happens: for the demo page, on this machine only."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

import grpc
import msgspec
from google.api_core.exceptions import NotFound
from google.cloud import pubsub_v1
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from types import TracebackType

    from google.cloud.pubsub_v1.subscriber.message import Message as Received

__all__ = ["TOPICS", "Feed", "server_sent"]

TOPICS: Final = ("uploads-finalized", "jobs", "renders", "results", "deliveries", "costs", "warmups", "dead-letters")
_REMEMBERED: Final = 100
_BEAT_SECONDS: Final = 15.0


class Feed:
    """Use as a context manager inside a running event loop: the subscriptions exist as long as it is open.

    An item is `id`, `topic`, `at` (RFC 3339), `attributes` and `data`, the message's JSON.
    """

    def __init__(self, project: str, emulator: str, topics: Iterable[str] = TOPICS) -> None:
        self._client = pubsub_v1.SubscriberClient(
            transport=SubscriberGrpcTransport(channel=grpc.insecure_channel(emulator))
        )
        self._paths = {
            self._client.subscription_path(project, f"{topic}-page-{uuid.uuid4().hex[:12]}"): (
                topic,
                self._client.topic_path(project, topic),
            )
            for topic in topics
        }
        self._recent: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED)
        self._readers: set[asyncio.Queue[dict[str, Any]]] = set()

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._pulls = []
        for subscription, (topic, path) in self._paths.items():
            self._client.create_subscription(name=subscription, topic=path)
            self._pulls.append(self._client.subscribe(subscription, callback=self._receiver(topic)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pull in self._pulls:
            pull.cancel()
        for pull, subscription in zip(self._pulls, self._paths, strict=True):
            pull.result(timeout=10)
            with suppress(NotFound):
                self._client.delete_subscription(subscription=subscription)
        self._client.close()

    async def items(self) -> AsyncIterator[dict[str, Any] | None]:
        """The latest hundred, then each as it comes. None now and then, where nothing comes."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for item in self._recent:
            queue.put_nowait(item)
        self._readers.add(queue)
        try:
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), _BEAT_SECONDS)
                except TimeoutError:
                    yield None
        finally:
            self._readers.discard(queue)

    def _receiver(self, topic: str) -> Any:  # noqa: ANN401  # the client's callback type is its own
        def receive(message: Received) -> None:
            item = {
                "id": message.message_id,
                "topic": topic,
                "at": message.publish_time.isoformat(),
                "attributes": dict(message.attributes),
                "data": _json(message.data),
            }
            with suppress(RuntimeError):  # the loop is closed: the page has gone
                self._loop.call_soon_threadsafe(self._tell, item)
            message.ack()

        return receive

    def _tell(self, item: dict[str, Any]) -> None:
        self._recent.append(item)
        for queue in self._readers:
            queue.put_nowait(item)


async def server_sent(items: AsyncIterator[dict[str, Any] | None]) -> AsyncIterator[bytes]:
    """As `text/event-stream`; a comment keeps a silent connection open."""
    yield b": open\n\n"
    async for item in items:
        if item is None:
            yield b": still here\n\n"
        else:
            yield b"id: %s\ndata: %s\n\n" % (item["id"].encode(), msgspec.json.encode(item))


def _json(data: bytes) -> Any:  # noqa: ANN401  # whatever it holds
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return None
