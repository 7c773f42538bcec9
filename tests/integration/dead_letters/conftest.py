from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import msgspec
import pytest

from local.notifications import Notifications
from local.ports import LOOPBACK
from local.stack import Stack
from local.storefront import Storefront

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole local system, with a network that takes no time, where `python -m local` finds it."""
    state = tmp_path_factory.mktemp("stack")
    with Stack.instant(state) as running:
        (state / "stack.json").write_bytes(msgspec.json.encode(running.info))
        yield running


@pytest.fixture(scope="package")
def storefront(stack: Stack) -> Iterator[Storefront]:
    with Storefront(stack.api_url, stack.api_key) as client:
        yield client


@pytest.fixture(scope="package")
def notifications(stack: Stack) -> Iterator[Notifications]:
    with Notifications(stack.project, stack.pubsub) as subscriber:
        yield subscriber


class Refusals:
    """How often each message was refused, by its event id."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def count(self, event_id: str) -> None:
        self.counts[event_id] = self.counts.get(event_id, 0) + 1


@contextmanager
def refusing_worker(stack: Stack) -> Iterator[Refusals]:
    """In place of the worker, a server that answers 503 to everything."""
    refusals = Refusals()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            push = msgspec.json.decode(self.rfile.read(int(self.headers["Content-Length"])))
            refusals.count(push["message"]["attributes"]["ce-id"])
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the base class
            pass

    stack.stop_worker()
    server = ThreadingHTTPServer((LOOPBACK, int(stack.worker_url.rpartition(":")[2])), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield refusals
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        stack.start_worker()
