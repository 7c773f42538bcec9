from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest

from local.notifications import Notifications
from local.stack import Stack
from local.storefront import Storefront
from tests.http_server import Answer, HttpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.http_server import Asked


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

    def refuse(asked: Asked) -> Answer:
        push = msgspec.json.decode(asked.body)
        refusals.count(push["message"]["attributes"]["ce-id"])
        return Answer(503)

    stack.stop_worker()
    try:
        with HttpServer(refuse, port=int(stack.worker_url.rpartition(":")[2])):
            yield refusals
    finally:
        stack.start_worker()
