"""Results reach webhook receivers through the real servers: topics, functions, bucket and HTTP."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from PIL import Image
from standardwebhooks import Webhook, WebhookVerificationError

from events.envelope import Outgoing, decode
from events.messages import DeliveryRequested
from tests.integration.webhooks.conftest import ANSWER_SECONDS, BREAKER_FAILURES, FORBIDDEN, NEW, OLD
from tests.waiting import until
from webhooks.errors import ForbiddenTargetError
from webhooks.parking import Parking
from webhooks.ports import Post
from webhooks.sender import HttpSender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.stack import Stack
    from local.storefront import Storefront
    from tests.integration.webhooks.conftest import Receivers
    from tests.integration.webhooks.receivers import Received


@pytest.fixture
def photos(request: pytest.FixtureRequest) -> Iterator[bytes]:
    """JPEGs that no other test has uploaded."""

    def make() -> Iterator[bytes]:
        seeds = np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))
        while True:
            encoded = BytesIO()
            Image.fromarray(seeds.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(encoded, "jpeg")
            yield encoded.getvalue()

    return make()


@pytest.fixture(scope="module")
def dead_letters(stack: Stack) -> Iterator[Callable[[str], dict[str, str]]]:
    """Reads why deliveries of a job were given up, by receiver."""
    channel = grpc.insecure_channel(stack.pubsub)
    client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
    name = f"projects/{stack.project}/subscriptions/webhook-tests"
    client.create_subscription(name=name, topic=f"projects/{stack.project}/topics/dead-letters")
    heard: dict[str, dict[str, str]] = {}

    def read(job_id: str) -> dict[str, str]:
        received = client.pull(subscription=name, max_messages=100, timeout=5).received_messages
        for one in received:
            event = decode(one.message.data, dict(one.message.attributes), DeliveryRequested)
            told = heard.setdefault(event.data.notice.result.job_id, {})
            told[event.data.receiver] = one.message.attributes["reason"]
        if received:
            client.acknowledge(subscription=name, ack_ids=[one.ack_id for one in received])
        return heard.get(job_id, {})

    yield read
    client.delete_subscription(subscription=name)
    channel.close()


def attempts(stack: Stack, job_id: str) -> list[dict[str, Any]]:
    """The log lines of all attempts to tell of a job."""
    log = (stack.state / "logs" / "functions-events.log").read_text()
    lines = [json.loads(line) for line in log.splitlines() if '"delivery_attempted"' in line]
    return [line for line in lines if line["job_id"] == job_id]


def test_a_result_reaches_every_receiver_signed_and_with_links_that_work(
    storefront: Storefront, receivers: Receivers, photos: Iterator[bytes]
) -> None:
    job = storefront.upload(next(photos), "image/jpeg", [{}, {"format": "mask"}])
    [told] = receivers.steady.wait_for(job.job_id)
    assert told.body["type"] == "cutout.result.completed.v1"
    results = told.body["data"]["results"]
    assert [result["recipe"].get("format", "png") for result in results] == ["png", "mask"]
    for result in results:
        assert "object" not in result
        assert datetime.fromisoformat(result["expires_at"]) > datetime.now(UTC) + timedelta(hours=11)
        assert len(storefront.download(result["url"])) == result["bytes"]
    assert told.headers["traceparent"].startswith("00-")


def test_a_receiver_that_fails_three_times_is_told_at_the_fourth(
    stack: Stack, storefront: Storefront, receivers: Receivers, photos: Iterator[bytes]
) -> None:
    job = storefront.upload(next(photos), "image/jpeg", [{}])
    requests = receivers.shaky.wait_for(job.job_id, requests=4)
    assert len({request.webhook_id for request in requests}) == 1
    assert all(request.body == requests[0].body for request in requests)
    assert_spread(requests)

    def of_shaky() -> list[dict[str, Any]]:
        return [line for line in attempts(stack, job.job_id) if line["receiver"] == f"{stack.tenant}/shaky"]

    lines = until(of_shaky, lambda found: len(found) >= 4)
    assert [(line["attempt"], line["status"], line["outcome"]) for line in lines] == [
        (1, 500, "parked"),
        (2, 500, "parked"),
        (3, 500, "parked"),
        (4, 200, "delivered"),
    ]
    assert "topsecret" not in json.dumps(lines)


def assert_spread(requests: list[Received]) -> None:
    """The pauses of the stack are at least 0.05, 0.1 and 0.2 s, of which timers may take some milliseconds."""
    pauses = [later.at - earlier.at for earlier, later in pairwise(requests)]
    assert all(pause > shortest for pause, shortest in zip(pauses, (0.04, 0.09, 0.19), strict=True))


def test_a_receiver_that_hangs_delays_no_other_and_is_told_once_it_answers(
    stack: Stack, storefront: Storefront, receivers: Receivers, photos: Iterator[bytes]
) -> None:
    jobs = [storefront.upload(next(photos), "image/jpeg", [{}]) for _ in range(4)]
    for job in jobs:
        receivers.hanging.wait_for(job.job_id)
        [told] = receivers.steady.wait_for(job.job_id)
        first = receivers.hanging.wait_for(job.job_id)[0]
        assert told.at - first.at < ANSWER_SECONDS, "it waited for the time-out of the hanging one"
        receivers.hanging.wait_for(job.job_id, requests=2)

    receivers.released.set()
    for job in jobs:
        lines = until(
            lambda: [line for line in attempts(stack, job.job_id) if line["receiver"].endswith("/hanging")],  # noqa: B023
            lambda found: found[-1]["outcome"] == "delivered",
        )
        assert (lines[0]["problem"], lines[0]["outcome"]) == ("timeout", "parked")
        assert ANSWER_SECONDS <= lines[0]["seconds"] < ANSWER_SECONDS + 1
    log = (stack.state / "logs" / "bridge.log").read_text().splitlines()
    calls = [line for line in log if line.partition("url=")[2].startswith(f"{stack.events_url}/deliver ")]
    assert calls
    assert not [line for line in calls if " refused " in line], "a message was not acknowledged"


def test_a_receiver_verifies_with_either_secret_while_they_rotate(
    storefront: Storefront, receivers: Receivers, photos: Iterator[bytes]
) -> None:
    job = storefront.upload(next(photos), "image/jpeg", [{}])
    [told] = receivers.rotated.wait_for(job.job_id)
    [single] = receivers.steady.wait_for(job.job_id)
    assert len(told.headers["webhook-signature"].split()) == 2
    assert len(single.headers["webhook-signature"].split()) == 1
    for known in (OLD, NEW):
        assert Webhook(known).verify(told.raw, told.headers) == told.body
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(single.raw, single.headers)


def test_no_redirect_is_followed(
    stack: Stack, storefront: Storefront, receivers: Receivers, photos: Iterator[bytes]
) -> None:
    job = storefront.upload(next(photos), "image/jpeg", [{}])
    receivers.redirecting.wait_for(job.job_id, requests=2)
    lines = [line for line in attempts(stack, job.job_id) if line["receiver"].endswith("/redirecting")]
    assert (lines[0]["status"], lines[0]["outcome"]) == (307, "parked")
    assert receivers.inner.requests == 0


def test_a_receiver_that_is_gone_is_given_up_at_once(
    storefront: Storefront,
    receivers: Receivers,
    photos: Iterator[bytes],
    dead_letters: Callable[[str], dict[str, str]],
) -> None:
    job = storefront.upload(next(photos), "image/jpeg", [{}])
    assert until(lambda: dead_letters(job.job_id), bool) == {"gone": "rejected: 410"}
    assert len(receivers.gone.wait_for(job.job_id)) == 1


def test_no_address_that_is_not_public_is_called(
    stack: Stack,
    other_storefront: Storefront,
    photos: Iterator[bytes],
    dead_letters: Callable[[str], dict[str, str]],
) -> None:
    job = other_storefront.upload(next(photos), "image/jpeg", [{}])
    reasons = until(lambda: dead_letters(job.job_id), lambda found: len(found) == len(FORBIDDEN))
    assert reasons == dict.fromkeys(FORBIDDEN, "rejected: forbidden")
    lines = [line for line in attempts(stack, job.job_id) if not line["receiver"].endswith("/down")]
    assert {line["problem"] for line in lines} == {"forbidden"}
    assert all(line["seconds"] < 1 for line in lines)


def test_by_default_a_server_on_this_machine_is_refused(receivers: Receivers) -> None:
    before = receivers.steady.requests
    https = receivers.steady.url.replace("http://127.0.0.1", "https://localhost")
    with pytest.raises(ForbiddenTargetError):
        HttpSender().send(Post("demo/steady", https, {}, b"{}"))
    with pytest.raises(ValueError, match="https"):
        HttpSender().send(Post("demo/steady", receivers.steady.url, {}, b"{}"))
    assert receivers.steady.requests == before


def test_the_bucket_lists_what_is_due_and_nothing_else(stack: Stack) -> None:
    """In a bucket that no sweep looks at."""
    parking = Parking(stack.store, stack.buckets.mattes)
    now = datetime.now(UTC)
    for event_id, seconds in (("due", -1), ("now", 0), ("later", 60)):
        message = Outgoing(topic="deliveries", attributes={"ce-id": event_id}, data="{}")
        parking.park(message, now + timedelta(seconds=seconds))
    entries = parking.entries(now)
    assert [entry.rpartition("/")[2] for entry in entries] == ["due", "now"]
    for entry in entries:
        parking.remove(entry)
    assert parking.entries(now) == []


def test_a_failed_job_is_told_too(storefront: Storefront, receivers: Receivers) -> None:
    job = storefront.upload(b"<html>no photo</html>" * 50, "image/jpeg", [{}])
    [told] = receivers.steady.wait_for(job.job_id)
    assert told.body["type"] == "cutout.result.failed.v1"
    assert told.body["data"]["code"] == "unsupported_format"


def test_a_receiver_that_is_down_is_left_alone_and_told_of_everything_once_it_is_back(
    stack: Stack, other_storefront: Storefront, receivers: Receivers, photos: Iterator[bytes]
) -> None:
    """The circuit opens after some failures in a row, spares the receiver all but one call a second, and closes."""
    circuit = f"webhook:{stack.other_tenant}/down"
    jobs = [other_storefront.upload(next(photos), "image/jpeg", [{}]) for _ in range(4)]

    def changes() -> list[str]:
        log = (stack.state / "logs" / "functions-events.log").read_text()
        lines = [json.loads(line) for line in log.splitlines() if '"circuit_changed"' in line]
        return [line["state"] for line in lines if line["circuit"] == circuit]

    def of_down() -> list[list[dict[str, Any]]]:
        return [[line for line in attempts(stack, job.job_id) if line["receiver"].endswith("/down")] for job in jobs]

    until(changes, lambda states: states[:3] == ["open", "half_open", "open"])
    until(of_down, lambda lines: any(line["problem"] == "circuit_open" for each in lines for line in each))
    assert receivers.down.requests >= BREAKER_FAILURES
    receivers.repaired.set()
    told = until(of_down, lambda lines: all(each[-1]["outcome"] == "delivered" for each in lines))
    for lines in told:
        assert {line["outcome"] for line in lines[:-1]} == {"parked"}
        assert [line["attempt"] for line in lines] == list(range(1, len(lines) + 1))
    spared = [line for lines in told for line in lines if line["problem"] == "circuit_open"]
    assert all(line["status"] is None and line["seconds"] < 1 for line in spared)
    assert changes()[-1] == "closed"
