"""What adapters talk to in these tests: HTTP servers that answer as told, and subscriptions of one test."""

from __future__ import annotations

import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import grpc
import pytest
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from local.ports import LOOPBACK
from local.topology import Subscription, declare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from google.pubsub_v1 import PubsubMessage

PATIENCE = 20.0


class Answer(NamedTuple):
    """`claims_length` is a Content-Length that is not the body's."""

    status: int = 204
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    claims_length: int | None = None


class Asked(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


class StubServer:
    """An HTTP server that gives the answers put into it, one after the other, and the last one again and again."""

    def __init__(self, port: int = 0) -> None:
        self.asked: SimpleQueue[Asked] = SimpleQueue()
        self._answers: list[Answer | Callable[[Asked], Answer]] = [Answer()]
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer((LOOPBACK, port), self._handler())
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def will_answer(self, *answers: Answer | Callable[[Asked], Answer]) -> None:
        with self._lock:
            self._answers = list(answers)

    def next_request(self, *, seconds: float = PATIENCE) -> Asked:
        try:
            return self.asked.get(timeout=seconds)
        except Empty:
            raise AssertionError(f"no request within {seconds:g} s") from None

    def _answer(self, asked: Asked) -> Answer:
        self.asked.put(asked)
        with self._lock:
            answer = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        return answer if isinstance(answer, Answer) else answer(asked)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __getattr__(self, name: str) -> Any:
                """The base class looks for `do_GET` and its like."""
                if name.startswith("do_"):
                    return self.answer
                raise AttributeError(name)

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = Asked(self.command, self.path, dict(self.headers.items()), body, time.time())
                answer = stub._answer(asked)
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                length = len(answer.body) if answer.claims_length is None else answer.claims_length
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(answer.body)
                self.close_connection = length != len(answer.body)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        return Handler


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
