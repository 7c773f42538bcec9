"""The worker, killed by SIGKILL between every two steps of a job, on the real servers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zlib
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from PIL import Image

from events.envelope import decode
from events.messages import CostRecorded, ResultCompleted
from events.names import job_prefix, spend_prefix
from local.processes import http_answers
from local.stack import ROOT
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.envelope import Event
    from local.notifications import Notifications
    from local.stack import Stack
    from local.storefront import Storefront

MOST_STEPS = 40
LEAST_STEPS = 12
RECIPES: list[dict[str, Any]] = [{}, {"format": "mask"}]


class MortalWorkers:
    """Workers on the stack's worker port, each of which dies before a chosen step."""

    def __init__(self, stack: Stack, log: Any) -> None:
        self._url = stack.worker_url
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.pipeline.mortal_worker"],
            cwd=ROOT,
            env=os.environ | stack.worker_environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def start(self, *, dies_before: int) -> None:
        """A worker that dies before that step, and then one in its place that lives."""
        self._tell(f"{dies_before}\n")
        until(http_answers(f"{self._url}/health"))

    def stop(self) -> bool:
        """Whether the mortal one died."""
        self._tell("\n")
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip() == "died"

    def end(self) -> None:
        self._process.communicate(timeout=PATIENCE)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()


@contextmanager
def costs_of(stack: Stack) -> Iterator[Any]:
    """Reads every cost event from now on, by job, until it has so many that differ."""
    channel = grpc.insecure_channel(stack.pubsub)
    client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
    name = f"projects/{stack.project}/subscriptions/costs-of-crashes"
    client.create_subscription(name=name, topic=f"projects/{stack.project}/topics/costs")
    heard: list[Event[CostRecorded]] = []

    def read(job_id: str, *, at_least: int) -> list[Event[CostRecorded]]:
        deadline = time.monotonic() + PATIENCE
        while True:
            of_job = [event for event in heard if event.data.job_id == job_id and event.data.kind == "cpu"]
            if len({event.id for event in of_job}) >= at_least:
                return of_job
            assert time.monotonic() < deadline, f"only {of_job}"
            received = client.pull(subscription=name, max_messages=100).received_messages
            heard.extend(decode(one.message.data, dict(one.message.attributes), CostRecorded) for one in received)
            if received:
                client.acknowledge(subscription=name, ack_ids=[one.ack_id for one in received])

    try:
        yield read
    finally:
        client.delete_subscription(subscription=name)
        channel.close()


def a_photo(seed: int) -> bytes:
    pixels = np.random.default_rng(zlib.crc32(b"crash") + seed).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "jpeg")
    return encoded.getvalue()


@pytest.fixture
def mortal_workers(stack: Stack) -> Iterator[MortalWorkers]:
    stack.stop_worker()
    with (stack.state / "logs" / "mortal.log").open("a") as log:
        workers = MortalWorkers(stack, log)
        try:
            yield workers
        finally:
            workers.end()
            stack.start_worker()


def test_a_worker_killed_before_any_step_still_ends_the_job_once(
    stack: Stack, storefront: Storefront, notifications: Notifications, mortal_workers: MortalWorkers
) -> None:
    """One result, one cost, one notification id, whichever step was the last before the kill."""
    deaths = 0
    with costs_of(stack) as costs:
        for step in range(1, MOST_STEPS):
            mortal_workers.start(dies_before=step)
            job = storefront.upload(a_photo(step), "image/jpeg", RECIPES)
            told = notifications.wait_for(job.job_id, seconds=PATIENCE).result
            heard = costs(job.job_id, at_least=len(RECIPES))
            died = mortal_workers.stop()
            assert isinstance(told, ResultCompleted), f"step {step}: {told}"
            check_ended_once(stack, notifications, told, heard)
            if not died:
                break
            deaths += 1
        else:
            pytest.fail(f"a job has more than {MOST_STEPS} steps")
    assert deaths >= LEAST_STEPS


def check_ended_once(
    stack: Stack, notifications: Notifications, told: ResultCompleted, costs: list[Event[CostRecorded]]
) -> None:
    deliveries = notifications.of(told.job_id)
    assert len({one.event.id for one in deliveries}) == 1
    assert all(one.result == told for one in deliveries)
    assert [result.cache for result in told.results] == ["miss", "miss"]
    for result in told.results:
        assert stack.store.stat(result.object.bucket, result.object.name) is not None

    distinct = {cost.id: cost.data for cost in costs}
    assert len(distinct) == len(RECIPES)
    assert sum(cost.usd for cost in distinct.values()) == told.cost_usd
    assert told.cost_usd > 0

    prefix = job_prefix(stack.tenant, told.job_id)
    records = {stat.name.removeprefix(prefix) for stat in stack.store.list(stack.buckets.jobs, prefix)}
    assert records == {"awaiting_upload.json", "queued.json", "done.json"}
    ledger = stack.store.list(stack.buckets.jobs, spend_prefix(stack.tenant, told.completed_at.date()))
    assert sum(told.job_id in stat.name for stat in ledger) == 1
