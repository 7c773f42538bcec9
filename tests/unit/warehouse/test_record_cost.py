from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from cloudevents.http import CloudEvent

from events.envelope import Outgoing, job_event
from events.errors import TransientError
from events.messages import CostRecorded
from functions.record_cost import RecordCost
from tests.fakes import FakePublisher
from tests.unit.examples import AT, EXAMPLES, JOB_ID, TENANT, TRACEPARENT
from tests.unit.tracing import Recorder as SpanRecorder
from warehouse.ports import Refusal, Row
from warehouse.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Sequence

[COST] = [example for example in EXAMPLES if isinstance(example, CostRecorded)]
MESSAGE = job_event(
    COST, tenant=TENANT, job_id=JOB_ID, part="gpu", run=0, source="test", time=AT, traceparent=TRACEPARENT
).outgoing("costs")


class World:
    """`refusal` is what the table says to each row; `away` makes the whole table fail."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.publisher = FakePublisher()
        self.refusal: Refusal | None = None
        self.away = False
        self.function = RecordCost(Recorder(self, sleep=lambda _: None), self.publisher, most=10)

    def insert(self, rows: Sequence[Row]) -> list[Refusal]:
        if self.away:
            raise TransientError("BigQuery is away")
        if self.refusal is not None:
            return [self.refusal]
        self.rows += rows
        return []

    def deliver(self, message: Outgoing = MESSAGE, **changes: Any) -> None:
        data = base64.b64encode(message.data.encode()).decode()
        push = {"message": {"data": data, "attributes": message.attributes, "messageId": "1"}, "subscription": "s"}
        self.deliver_raw(push | changes)

    def deliver_raw(self, data: object) -> None:
        attributes = {"id": "42", "type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//pubsub"}
        self.function(CloudEvent.create(attributes, data))

    def dead_letter(self) -> Outgoing:
        [letter] = self.publisher.messages
        assert letter.topic == "dead-letters"
        return letter


@pytest.fixture
def world() -> World:
    return World()


def test_a_cost_event_becomes_a_row_under_its_id(world: World) -> None:
    world.deliver()
    [row] = world.rows
    assert row.id == MESSAGE.attributes["ce-id"]
    assert row.values["usd"] == "0.001184100"
    assert world.publisher.messages == []


def test_a_table_that_is_away_makes_the_event_come_again(world: World) -> None:
    world.away = True
    with pytest.raises(TransientError, match="away"):
        world.deliver()
    assert world.publisher.messages == []


def test_a_row_that_is_refused_for_the_moment_makes_the_event_come_again(world: World) -> None:
    world.refusal = Refusal(0, "backendError", permanent=False)
    with pytest.raises(TransientError, match="backendError"):
        world.deliver()
    assert world.publisher.messages == []


def test_a_row_that_is_refused_for_good_is_a_dead_letter(world: World) -> None:
    world.refusal = Refusal(0, "invalid occurred_at", permanent=True)
    world.deliver()
    letter = world.dead_letter()
    assert letter.data == MESSAGE.data
    assert letter.attributes == MESSAGE.attributes | {
        "reason": "the table refused the row: invalid occurred_at",
        "refused-by": "record-cost",
    }


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"usd":"0.001184100"', '"usd":"0.0000000001"', "$.usd: expected US dollars"),
        ('"kind":"gpu"', '"kind":"tpu"', "$.kind: "),
        ("{", "not JSON {", "$: not JSON"),
    ],
)
def test_an_event_that_breaks_the_contract_is_a_dead_letter_as_it_came(
    world: World, old: str, new: str, reason: str
) -> None:
    broken = MESSAGE.data.replace(old, new, 1)
    assert broken != MESSAGE.data
    world.deliver(Outgoing(topic="costs", attributes=MESSAGE.attributes, data=broken))
    letter = world.dead_letter()
    assert letter.data == broken
    assert letter.attributes["reason"].startswith(reason)
    assert world.rows == []


@pytest.mark.parametrize("data", [b"no JSON", {"message": 3}, None, "text"])
def test_what_is_no_message_at_all_is_a_dead_letter_too(world: World, data: object) -> None:
    world.deliver_raw(data)
    letter = world.dead_letter()
    assert letter.attributes["ce-id"] == "42"
    assert letter.attributes["reason"]


def test_a_reason_is_never_longer_than_an_attribute_may_be(world: World) -> None:
    world.refusal = Refusal(0, "é" * 2000, permanent=True)
    world.deliver()
    reason = world.dead_letter().attributes["reason"]
    assert 1020 <= len(reason.encode()) <= 1024


def test_a_dead_letter_that_can_not_be_sent_makes_the_event_come_again(world: World) -> None:
    world.refusal = Refusal(0, "invalid", permanent=True)
    world.publisher.faults.arm(1, TransientError("Pub/Sub is away"))
    with pytest.raises(TransientError, match="Pub/Sub"):
        world.deliver()


def test_a_row_is_a_span_of_the_trace_that_cost_it(world: World) -> None:
    recorder = SpanRecorder()
    world.function = RecordCost(Recorder(world, sleep=lambda _: None), world.publisher, most=10, tracer=recorder.tracer)
    world.deliver()
    span = recorder.one("record_cost")
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == TRACEPARENT.split("-")[2]
    assert recorder.attributes("record_cost") == {"job_id": JOB_ID, "tenant": TENANT, "cost_kind": COST.kind}
