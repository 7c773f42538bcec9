"""A thousand cost events on their whole way: topic, trigger, `record_cost`, BigQuery, views."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final, get_args

import grpc
import msgspec
import pytest
from google.pubsub_v1 import PublisherClient, PubsubMessage
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from cloud.bigquery import BigQueryQueries
from events.envelope import job_event
from events.ids import new_job_id
from events.messages import CostKind, CostRecorded
from local.stack import Stack
from tests import asking
from tests.integration.costs.proxy import Proxy
from tests.unit.examples import MODEL, TRACEPARENT
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from events.envelope import Event, Outgoing

EVENTS: Final = 1000
REPEATED: Final = 300
POLL: Final = 1.0
"""Seconds between two queries: the emulator answers one after the other, and writes in between."""
FIRST_DAY: Final = datetime(2026, 11, 16, tzinfo=UTC)


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with Proxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def stack(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The local system, whose functions reach BigQuery through the proxy, and soon give up a try."""
    settings = {"BIGQUERY_EMULATOR_HOST": proxy.url, "BIGQUERY_DEADLINE_SECONDS": "2"}
    with Stack.instant(tmp_path_factory.mktemp("stack"), settings) as stack:
        proxy.target = stack.bigquery_url
        yield stack


@pytest.fixture(scope="module")
def publish(stack: Stack) -> Iterator[Callable[[list[Outgoing]], None]]:
    with grpc.insecure_channel(stack.pubsub) as channel:
        client = PublisherClient(transport=PublisherGrpcTransport(channel=channel))

        def send(messages: list[Outgoing]) -> None:
            given = [PubsubMessage(data=one.data.encode(), attributes=one.attributes) for one in messages]
            client.publish(topic=f"projects/{stack.project}/topics/costs", messages=given)

        yield send


@pytest.fixture
def query(stack: Stack) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    queries = BigQueryQueries.connect(project=stack.project, emulator=stack.bigquery_url)
    yield lambda sql: queries.rows(sql, {})
    queries.close()


def events(count: int, chance: random.Random) -> list[Event[CostRecorded]]:
    """Of a week's jobs, each with one cost of some kind, down to a billionth of a dollar."""
    made = []
    for _ in range(count):
        at = FIRST_DAY + timedelta(seconds=chance.randrange(7 * 86_400))
        job_id = new_job_id(at, chance.getrandbits)
        data = CostRecorded(
            occurred_at=at,
            kind=chance.choice(("gpu", "cpu", "function")),
            region="europe-west4",
            usd=Decimal(chance.randrange(1, 10**8)).scaleb(-9),
            price_version="2026-11",
            job_id=job_id,
            tenant=chance.choice(("acme", "other")),
            model=MODEL,
            recipe="0" * 32,
            cache="miss",
            latency_seconds=chance.uniform(0.1, 30),
        )
        made.append(
            job_event(
                data,
                tenant=data.tenant or "",
                job_id=job_id,
                part="test",
                run=0,
                source="test",
                time=at,
                traceparent=TRACEPARENT,
            )
        )
    return made


def test_a_thousand_events_add_up_to_the_billionth_whatever_happens_on_the_way(
    stack: Stack,
    proxy: Proxy,
    publish: Callable[[list[Outgoing]], None],
    query: Callable[[str], list[dict[str, Any]]],
) -> None:
    """30% of them twice, out of order, and BigQuery away for a while in the middle."""
    chance = random.Random(23)
    sent = events(EVENTS, chance)
    messages = [event.outgoing("costs") for event in sent]
    messages += chance.sample(messages, REPEATED)
    chance.shuffle(messages)

    third = len(messages) // 3
    publish(messages[:third])
    until(lambda: query("SELECT COUNT(*) AS n FROM cutout.costs"), lambda rows: rows[0]["n"] > 50, every=POLL)
    proxy.barred.set()
    publish(messages[third : 2 * third])
    until(lambda: proxy.refused, lambda refused: refused >= 10)
    proxy.barred.clear()
    publish(messages[2 * third :])

    counted: list[dict[str, Any]] = []

    def are_there(least: int) -> bool:
        counted[:] = query("SELECT COUNT(*) AS n, SUM(usd) AS usd FROM cutout.costs")
        return bool(counted[0]["n"] >= least)

    for least in range(100, EVENTS + 1, 100):  # each hundred in its time, however long all of them take
        until(partial(are_there, least), every=POLL)
    assert counted == [{"n": EVENTS, "usd": sum(event.data.usd for event in sent)}]
    by_day = query("SELECT * FROM cutout.cost_per_image_by_day ORDER BY day")
    for row in by_day:
        that_day = [event.data for event in sent if event.data.occurred_at.date() == row["day"]]
        assert row["usd"] == sum(data.usd for data in that_day)
        assert row["images"] == len(that_day)
        for kind in get_args(CostKind):
            assert row[f"{kind}_usd"] == sum(data.usd for data in that_day if data.kind == kind)
    assert sum(row["images"] for row in by_day) == EVENTS
    by_tenant = query("SELECT tenant, SUM(usd) AS usd FROM cutout.cost_by_tenant_and_recipe GROUP BY tenant")
    assert {row["tenant"]: row["usd"] for row in by_tenant} == {
        tenant: sum(event.data.usd for event in sent if event.data.tenant == tenant) for tenant in ("acme", "other")
    }
    assert stack.store.list("dead-letters", "") == []


def test_the_time_that_the_local_worker_was_up_is_reconciled(
    stack: Stack, query: Callable[[str], list[dict[str, Any]]]
) -> None:
    """As Monitoring tells it; the hour that is not over is not told of."""
    began = (datetime.now(UTC) - timedelta(hours=3)).replace(minute=15, second=0, microsecond=0)
    life = stack.state / "worker-lives" / began.strftime("%Y%m%dT%H%M%S.%fZ")
    life.touch()
    os.utime(life, (began.timestamp() + 600,) * 2)

    answers = [asking.post(f"{stack.events_url}/reconcile_idle") for _ in range(2)]
    assert {answer.status_code for answer in answers} == {200}
    hour = began.replace(minute=0)
    waited = f"SELECT * FROM cutout.costs WHERE occurred_at = '{hour:%Y-%m-%d %H:%M:%S}+00' ORDER BY kind"
    idle, warmup = until(lambda: query(waited), lambda rows: len(rows) == 2, every=POLL)
    assert (idle["kind"], idle["region"], idle["vcpu_seconds"]) == ("idle", "local", 600 * (os.cpu_count() or 1))
    assert (idle["gpu_seconds"], warmup["usd"]) == (0, 0)
    assert idle["usd"] > 0


def test_an_event_that_can_never_be_a_row_becomes_a_dead_letter(
    stack: Stack, publish: Callable[[list[Outgoing]], None]
) -> None:
    [event] = events(1, random.Random(5))
    message = event.outgoing("costs")
    publish([msgspec.structs.replace(message, data=message.data.replace('"usd":', '"eur":'))])

    [letter] = until(lambda: stack.store.list("dead-letters", ""), lambda letters: len(letters) > 0)
    stored = stack.store.read("dead-letters", letter.name)
    assert stored is not None
    assert b"$.usd: required, but missing; $.eur: not a known field" in stored.data
