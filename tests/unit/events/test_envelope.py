from __future__ import annotations

from datetime import timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import pytest
from cloudevents.conversion import to_binary
from cloudevents.http import CloudEvent, from_http

from events.envelope import Event, decode, decode_result, job_event
from events.errors import InvalidMessageError
from events.ids import event_id
from events.messages import EVENT_TYPES, CostRecorded, JobRequested, ResultCompleted, ResultFailed, WarmupRequested
from events.trace import is_traceparent
from tests.unit.examples import AT, EXAMPLES, JOB_ID, TENANT, TRACEPARENT

if TYPE_CHECKING:
    from events.envelope import Outgoing
    from events.messages import Message

every_message = pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: message.type)


def event_of(message: Message) -> Event[Message]:
    return job_event(
        message,
        tenant=TENANT,
        job_id=JOB_ID,
        part="",
        run=0,
        source="gpu_worker",
        time=AT,
        traceparent=TRACEPARENT,
    )


def sent(message: Message) -> Outgoing:
    return event_of(message).outgoing(message.topics[0])


def test_there_is_an_example_of_every_type() -> None:
    assert [type(message) for message in EXAMPLES] == list(EVENT_TYPES)


@every_message
def test_a_message_survives_the_pubsub_encoding(message: Message) -> None:
    out = sent(message)
    back: Event[Message] = decode(out.data.encode(), out.attributes)
    assert back == event_of(message)
    assert type(back.data) is type(message)


@every_message
def test_a_message_can_go_to_each_of_its_topics_and_to_no_other(message: Message) -> None:
    event = event_of(message)
    assert [event.outgoing(topic).topic for topic in message.topics] == list(message.topics)
    with pytest.raises(ValueError, match="belongs on"):
        event.outgoing("alerts")


@every_message
def test_the_official_package_reads_our_events(message: Message) -> None:
    """Binary mode over Pub/Sub and over HTTP use the same names."""
    out = sent(message)
    official = from_http(out.attributes, out.data.encode())
    assert official["id"] == out.attributes["ce-id"]
    assert official["type"] == message.type
    assert official["source"] == "//cutout/gpu_worker"
    assert official["subject"] == f"{TENANT}/{JOB_ID}"
    assert official["time"] == "2026-11-23T12:00:00.250000Z"
    assert official["traceparent"] == TRACEPARENT
    assert official["datacontenttype"] == "application/json"
    assert official.data == msgspec.json.decode(out.data)


@every_message
def test_we_read_what_the_official_package_writes(message: Message) -> None:
    event = event_of(message)
    official = CloudEvent.create(
        {
            "id": event.id,
            "source": event.source,
            "type": message.type,
            "subject": event.subject,
            "time": AT.isoformat(),
            "traceparent": TRACEPARENT,
            "datacontenttype": "application/json",
        },
        msgspec.to_builtins(message),
    )
    headers, body = to_binary(official)
    assert decode(body, headers) == event


def test_money_travels_as_text_and_times_as_rfc_3339() -> None:
    raw = msgspec.json.decode(sent(EXAMPLES[1]).data)
    assert raw["cost_usd"] == "0.001184100"
    assert raw["completed_at"] == "2026-11-23T12:00:00.250000Z"


def test_a_time_with_another_offset_is_the_same_time() -> None:
    event = job_event(
        WarmupRequested(reason="forecast", at=AT),
        tenant=TENANT,
        job_id=JOB_ID,
        part="",
        run=0,
        source="warm",
        time=AT.astimezone(timezone(timedelta(hours=2))),
        traceparent=TRACEPARENT,
    )
    out = event.outgoing("ticks")
    assert out.attributes["ce-time"] == "2026-11-23T14:00:00.250000+02:00"
    assert decode(out.data, out.attributes).time == AT


def test_attributes_that_are_not_cloudevents_are_left_alone() -> None:
    out = sent(EXAMPLES[0])
    attributes = out.attributes | {"googclient_schemaencoding": "JSON", "ce-partitionkey": "7"}
    assert decode(out.data, attributes).data == EXAMPLES[0]


def test_a_message_of_another_type_than_the_topic_carries_is_refused() -> None:
    out = sent(EXAMPLES[4])
    with pytest.raises(InvalidMessageError) as refusal:
        decode(out.data, out.attributes, JobRequested, CostRecorded)
    assert refusal.value.fields == {
        "$.ce-type": "expected cutout.cost.recorded.v1 or cutout.job.requested.v1, got 'cutout.warmup.requested.v1'"
    }


def test_a_type_of_a_later_version_is_refused_by_name() -> None:
    out = sent(EXAMPLES[0])
    with pytest.raises(InvalidMessageError, match=r"got 'cutout\.job\.requested\.v2'"):
        decode(out.data, out.attributes | {"ce-type": "cutout.job.requested.v2"})


def test_results_of_either_kind_are_decoded_from_the_results_topic() -> None:
    kinds = {type(decode_result(out.data, out.attributes).data) for out in (sent(EXAMPLES[1]), sent(EXAMPLES[2]))}
    assert kinds == {ResultCompleted, ResultFailed}


def test_every_bad_attribute_is_reported_at_once() -> None:
    out = sent(EXAMPLES[0])
    bad = out.attributes | {
        "ce-specversion": "0.3",
        "ce-id": "",
        "ce-time": "yesterday",
        "ce-type": "cutout.other.v1",
        "content-type": "text/plain",
    }
    del bad["ce-source"]
    with pytest.raises(InvalidMessageError) as refusal:
        decode(out.data, bad)
    assert sorted(refusal.value.fields) == [
        "$.ce-id",
        "$.ce-source",
        "$.ce-specversion",
        "$.ce-time",
        "$.ce-type",
        "$.content-type",
    ]


def test_bad_attributes_and_bad_data_are_reported_together() -> None:
    out = sent(EXAMPLES[0])
    data = out.data.replace('"lane":"gpu"', '"lane":"tpu"').replace(f'"tenant":"{TENANT}"', '"tenant":"../x"')
    with pytest.raises(InvalidMessageError) as refusal:
        decode(data, out.attributes | {"ce-id": "", "ce-time": "yesterday"})
    assert set(refusal.value.fields) == {"$.ce-id", "$.ce-time", "$.lane", "$.tenant"}
    with pytest.raises(InvalidMessageError) as refusal:
        decode("{", out.attributes | {"ce-id": ""})
    assert set(refusal.value.fields) == {"$.ce-id", "$"}


def test_data_is_json_by_whichever_name() -> None:
    out = sent(EXAMPLES[0])
    for name in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        assert decode(out.data, out.attributes | {"content-type": name}).data == EXAMPLES[0]
    unnamed = {name: value for name, value in out.attributes.items() if name != "content-type"}
    assert decode(out.data, unnamed).data == EXAMPLES[0]


@pytest.mark.parametrize("usd", ["NaN", "Infinity", "-5", "-0.000000001", "1e400000", "0.0000000001", "1" * 30])
@pytest.mark.parametrize("message", [EXAMPLES[1], EXAMPLES[3]], ids=["result", "cost"])
def test_what_is_no_amount_of_money_is_refused(message: Message, usd: str) -> None:
    field = "cost_usd" if isinstance(message, ResultCompleted) else "usd"
    out = sent(message)
    data = msgspec.json.encode(msgspec.json.decode(out.data) | {field: usd, "tenant": "../x"})
    with pytest.raises(InvalidMessageError) as refusal:
        decode(data, out.attributes)
    assert set(refusal.value.fields) == {f"$.{field}", "$.tenant"}
    assert "at most nine decimals" in refusal.value.fields[f"$.{field}"]


def test_an_amount_that_nobody_could_read_is_not_made() -> None:
    with pytest.raises(ValueError, match="usd: expected US dollars"):
        msgspec.structs.replace(EXAMPLES[3], usd=Decimal(-1))


def test_a_message_without_attributes_names_those_it_needs() -> None:
    with pytest.raises(InvalidMessageError) as refusal:
        decode(b"{}", {})
    assert set(refusal.value.fields.values()) == {"required, but missing"}
    assert set(refusal.value.fields) == {"$.ce-specversion", "$.ce-id", "$.ce-source", "$.ce-type", "$.ce-time"}


def test_a_message_without_a_trace_starts_one() -> None:
    out = sent(EXAMPLES[0])
    untraced = {name: value for name, value in out.attributes.items() if name != "ce-traceparent"}
    assert is_traceparent(decode(out.data, untraced).traceparent)


def test_a_trace_that_cant_be_followed_loses_no_message() -> None:
    out = sent(EXAMPLES[0])
    for malformed in ("", "00-0-0-01", "ff" + TRACEPARENT[2:]):
        assert is_traceparent(decode(out.data, out.attributes | {"ce-traceparent": malformed}).traceparent)
    later = "01" + TRACEPARENT[2:] + "-more"
    assert decode(out.data, out.attributes | {"ce-traceparent": later}).traceparent == TRACEPARENT


def test_the_id_of_a_job_event_is_the_same_for_every_delivery_and_another_for_every_part_and_run() -> None:
    def made(part: str, run: int) -> str:
        data = EXAMPLES[3]
        event = job_event(
            data, tenant=TENANT, job_id=JOB_ID, part=part, run=run, source="x", time=AT, traceparent=TRACEPARENT
        )
        assert event.id == event_id(JOB_ID, data.type, part, run)
        return event.id

    assert made("gpu:a", 0) == made("gpu:a", 0)
    assert len({made("gpu:a", 0), made("gpu:b", 0), made("gpu:a", 1)}) == 3


@pytest.mark.parametrize(
    ("message", "field"),
    [(EXAMPLES[0], "run"), (EXAMPLES[3], "batch_size"), (EXAMPLES[3], "revision"), (EXAMPLES[5], "attempt")],
    ids=lambda value: value if isinstance(value, str) else value.type,
)
def test_a_number_that_could_not_be_sent_on_is_refused(message: Message, field: str) -> None:
    out = sent(message)

    def with_number(number: int) -> str:
        rest = msgspec.json.encode({k: v for k, v in msgspec.json.decode(out.data).items() if k != field}).decode()
        return f'{{"{field}":{number},{rest[1:]}'

    assert getattr(decode(with_number(2**63 - 1), out.attributes).data, field) == 2**63 - 1
    for number in (2**63, 10**25):
        with pytest.raises(InvalidMessageError) as refusal:
            decode(with_number(number), out.attributes)
        assert list(refusal.value.fields) == [f"$.{field}"]
