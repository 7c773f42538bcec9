"""The local stack, with a worker that counts as cold whenever a test says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from cloud.pubsub import GooglePublisher
from jobs.activity import Activity
from jobs.desk import utc_now
from jobs.ledger import Ledger
from jobs.warmups import BookedWarmup
from local.stack import Stack
from local.storefront import Storefront

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.ledger import Page

__all__ = ["Shop"]

_STATE: Final = ("~activity/", "~intents/", "~rates/", "~warming/", "~flags/")


class Shop:
    """What a test sees of warming: the ledger, the decisions that were logged, the worker's log."""

    def __init__(self, stack: Stack, publisher: GooglePublisher) -> None:
        self.stack = stack
        self.publisher = publisher
        self.activity = Activity(stack.store, stack.buckets.jobs, utc_now)
        self.ledger = Ledger(stack.store, stack.buckets.jobs, "~warming", BookedWarmup)
        self._read_from = self._ends()

    def forget(self) -> None:
        """Nobody was here, and no worker was awake."""
        for prefix in _STATE:
            for stat in self.stack.store.list(self.stack.buckets.jobs, prefix):
                self.stack.store.delete(self.stack.buckets.jobs, stat.name)
        self._read_from = self._ends()

    def page(self) -> Page[BookedWarmup]:
        return self.ledger.page(utc_now())

    def decisions(self) -> list[dict[str, Any]]:
        """Since the last `forget`, in order."""
        return self._logged("functions-events", "warming_decided")

    def answered(self) -> list[dict[str, Any]]:
        """The prompts that another's decision answered."""
        return self._logged("functions-events", "warming_prompt_answered")

    def warmed_up(self) -> list[dict[str, Any]]:
        """The pushes that the worker answered."""
        return self._logged("worker", "warmed_up")

    def tick(self, **attributes: str) -> None:
        """As Cloud Scheduler publishes it: nothing in it but an attribute."""
        self.publisher.publish("ticks", b"", attributes or {"tick": "warm"})

    def _logged(self, program: str, message: str) -> list[dict[str, Any]]:
        log = self.stack.state / "logs" / f"{program}.log"
        lines = log.read_bytes()[self._read_from.get(program, 0) :].decode(errors="replace").splitlines()
        told = (json.loads(line) for line in lines if line.startswith("{") and line.endswith("}"))
        return [line for line in told if line["message"] == message]

    def _ends(self) -> dict[str, int]:
        logs = self.stack.state / "logs"
        return {path.stem: path.stat().st_size for path in logs.glob("*.log")}


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A wake costs 0.24471 USD, as in the cloud: the budget has room for four of them, and for one that intents cause.

    The tests tick when they want to.
    """
    settings = {
        "WARMING_DAILY_USD": "1.00",
        "WARMING_USD_PER_SECOND": "0.05",
        "WARMING_TICK_SECONDS": "300",
        "PRECOMPUTE_MINIMUM_REQUESTS": "1",
        "INSTANCE_VCPUS": "8",
        "INSTANCE_GIB": "32",
        "INSTANCE_GPUS": "1",
    }
    with Stack.instant(tmp_path_factory.mktemp("warming"), settings) as running:
        yield running


@pytest.fixture(scope="package")
def publisher(stack: Stack) -> Iterator[GooglePublisher]:
    publisher = GooglePublisher.connect(project=stack.project, emulator=stack.pubsub)
    yield publisher
    publisher.close()


@pytest.fixture(scope="package")
def storefront(stack: Stack) -> Iterator[Storefront]:
    with Storefront(stack.api_url, stack.api_key) as client:
        yield client


@pytest.fixture
def shop(stack: Stack, publisher: GooglePublisher) -> Shop:
    shop = Shop(stack, publisher)
    shop.forget()
    return shop
