"""Webhook receivers as a subscriber would write them, with the package of the other side: `standardwebhooks`."""

from __future__ import annotations

import base64
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from standardwebhooks import Webhook

from tests.http_server import Answer, HttpServer
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.http_server import Asked

__all__ = ["Received", "Receiver", "secret"]


def secret(seed: int) -> str:
    """A valid secret, another for every seed."""
    return "whsec_" + base64.b64encode(bytes([seed]) * 32).decode()


class Received(NamedTuple):
    """A request whose signature was verified. `at` in seconds of the monotonic clock."""

    webhook_id: str
    raw: bytes
    body: dict[str, Any]
    headers: dict[str, str]
    at: float


class Receiver(HttpServer):
    """`reply` says what to answer the n-th attempt (from 1) of a delivery."""

    def __init__(self, *, known_secret: str, reply: Callable[[int], Answer] = lambda _: Answer()) -> None:
        super().__init__(self._take)
        self.url = f"{self.url}/hook?key=topsecret"
        self._webhook = Webhook(known_secret)
        self._reply = reply
        self._arrived = threading.Condition()
        self._by_job: dict[str, list[Received]] = defaultdict(list)

    def wait_for(self, job_id: str, *, requests: int = 1, seconds: float = PATIENCE) -> list[Received]:
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

    def _take(self, asked: Asked) -> Answer:
        """Verify, remember, and say what to answer."""
        now = time.monotonic()
        headers = {name.lower(): value for name, value in asked.headers.items()}
        told = self._webhook.verify(asked.body, headers)
        with self._arrived:
            of_job = self._by_job[told["data"]["job_id"]]
            of_job.append(Received(headers["webhook-id"], asked.body, told, headers, now))
            attempt = sum(one.webhook_id == headers["webhook-id"] for one in of_job)
            self._arrived.notify_all()
        return self._reply(attempt)
