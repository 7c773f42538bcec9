from __future__ import annotations

from dataclasses import replace

from events.envelope import Event
from events.messages import WarmupRequested
from jobs.metrics import JobMetrics
from tests.unit.examples import TRACEPARENT
from tests.unit.tracing import Recorder, context_of
from tests.unit.warming.shop import Shop, delivery


def test_a_decision_is_counted_and_is_a_span_of_the_trace_that_asked_for_it() -> None:
    shop, recorder, metrics = Shop(), Recorder(), JobMetrics()
    shop.desk = replace(shop.desk, tracer=recorder.tracer, measures=metrics)
    shop.show("file_chosen", "somebody")
    asked = Event(
        id="intent-1",
        source="//cutout/intents",
        subject="acme",
        time=shop.clock(),
        traceparent=TRACEPARENT,
        data=WarmupRequested(reason="intent:file_chosen", at=shop.clock()),
    ).outgoing("ticks")
    shop.warm()(delivery(asked.attributes, asked.data, shop.clock(), message_id="1"))

    [warmup] = shop.requests()
    span = recorder.one("warm")
    assert warmup.traceparent.split("-")[2] == f"{context_of(span).span_id:016x}"
    assert f"{context_of(span).trace_id:032x}" == TRACEPARENT.split("-")[1]
    about = recorder.attributes("warm")
    assert (about["action"], about["trigger_reason"]) == ("wake", "intent:file_chosen")
    labels = {"action": "wake", "reason": about["reason"]}
    assert metrics.registry.get_sample_value("cutout_warming_decisions_total", labels) == 1


def test_a_tick_begins_a_trace() -> None:
    shop, recorder = Shop(), Recorder()
    shop.desk = replace(shop.desk, tracer=recorder.tracer)
    shop.warm()(shop.tick())
    assert recorder.one("warm").parent is None
