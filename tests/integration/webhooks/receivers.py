"""Webhook receivers as a subscriber would write them, with the package of the other side: `standardwebhooks`."""

from __future__ import annotations

import base64
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from standardwebhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Received", "Receiver", "Reply", "secret"]


def secret(seed: int) -> str:
    """A valid secret, another for every seed."""
    return "whsec_" + base64.b64encode(bytes([seed]) * 32).decode()


class Reply(NamedTuple):
    status: int
    headers: tuple[tuple[str, str], ...] = ()


class Received(NamedTuple):
    """A request whose signature was verified. `at` in seconds of the monotonic clock."""

    webhook_id: str
    raw: bytes
    body: dict[str, Any]
    headers: dict[str, str]
    at: float


class Receiver:
    """Use as a context manager. `reply` says what to answer the n-th attempt (from 1) of a delivery."""

    def __init__(self, *, known_secret: str, reply: Callable[[int], Reply] = lambda _: Reply(200)) -> None:
        self._webhook = Webhook(known_secret)
        self._reply = reply
        self._arrived = threading.Condition()
        self._by_job: dict[str, list[Received]] = defaultdict(list)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook?key=topsecret"

    def wait_for(self, job_id: str, *, requests: int = 1, seconds: float = 30.0) -> list[Received]:
        """All requests about a job so far, at least so many. Raises `TimeoutError`."""
        deadline = time.monotonic() + seconds
        with self._arrived:
            while len(self._by_job[job_id]) < requests:
                if not self._arrived.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"{len(self._by_job[job_id])} of {requests} requests about {job_id}")
            return list(self._by_job[job_id])

    @property
    def requests(self) -> int:
        """About any job."""
        with self._arrived:
            return sum(map(len, self._by_job.values()))

    def take(self, body: bytes, headers: dict[str, str]) -> Reply:
        """Verify, remember, and say what to answer."""
        now = time.monotonic()
        told = self._webhook.verify(body, headers)
        with self._arrived:
            of_job = self._by_job[told["data"]["job_id"]]
            of_job.append(Received(headers["webhook-id"], body, told, headers, now))
            attempt = sum(one.webhook_id == headers["webhook-id"] for one in of_job)
            self._arrived.notify_all()
        return self._reply(attempt)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                reply = receiver.take(body, {name.lower(): value for name, value in self.headers.items()})
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Quiet."""

        return Handler
