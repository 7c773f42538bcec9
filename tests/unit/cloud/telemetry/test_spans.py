from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from cloud.telemetry.failures import Failures
from cloud.telemetry.spans import Spans
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan


class Receiver(SpanExporter):
    """Takes spans; waits, or fails, if it is told to."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.calls = 0
        self.gate = threading.Event()
        self.gate.set()
        self.answer: SpanExportResult | Exception = SpanExportResult.SUCCESS

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.calls += 1
        assert self.gate.wait(30)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is SpanExportResult.SUCCESS:
            self.names += [span.name for span in spans]
        return self.answer


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def failures() -> Failures:
    return Failures("traces")


@pytest.fixture
def spans(receiver: Receiver, failures: Failures) -> Iterator[Spans]:
    spans = Spans(lambda: receiver, failures, Resource({}), ratio=1)
    spans.begin()
    yield spans
    receiver.gate.set()
    spans.close(5)


def tell(spans: Spans, name: str = "work") -> None:
    with spans.tracer.span(name, parent=None):
        pass


def seconds_of(work: Callable[[], Any]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def test_spans_are_sent_in_the_background(spans: Spans, receiver: Receiver) -> None:
    tell(spans)
    until(lambda: receiver.names == ["work"])


def test_a_flush_waits_until_they_are_sent(spans: Spans, receiver: Receiver) -> None:
    tell(spans)
    spans.flush(5)
    assert receiver.names == ["work"]


def test_a_close_sends_what_is_left(spans: Spans, receiver: Receiver) -> None:
    tell(spans)
    spans.close(5)
    assert receiver.names == ["work"]
    tell(spans)
    assert receiver.names == ["work"]


def test_a_receiver_that_hangs_delays_nobody(spans: Spans, receiver: Receiver) -> None:
    receiver.gate.clear()
    tell(spans)
    assert 0.1 <= seconds_of(lambda: spans.flush(0.1)) < 1
    started = time.monotonic()
    for _ in range(1000):
        tell(spans)
        spans.flush(5)
    assert time.monotonic() - started < 2
    assert seconds_of(lambda: spans.close(0.2)) < 1


def test_a_queue_that_is_full_keeps_the_newest(spans: Spans, receiver: Receiver) -> None:
    receiver.gate.clear()
    tell(spans, "first")
    until(lambda: receiver.calls == 1)
    for number in range(3000):
        tell(spans, str(number))
    receiver.gate.set()
    spans.flush(10)
    assert receiver.names[0] == "first"
    assert len(receiver.names) == 1 + 2048
    assert receiver.names[-1] == "2999"


@pytest.mark.parametrize("answer", [SpanExportResult.FAILURE, ConnectionError("https://collector.test/?key=secret")])
def test_failures_are_logged_once_and_not_waited_for(
    spans: Spans,
    receiver: Receiver,
    failures: Failures,
    answer: SpanExportResult | Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver.answer = answer
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            tell(spans)
            until(lambda: failures.last_failed)
            spans.flush(5)
    ours = [record for record in caplog.records if record.name.startswith("cloud")]
    assert [record.message for record in ours] == ["telemetry_lost"]
    assert "secret" not in caplog.text


def test_sending_goes_on_after_a_failure(spans: Spans, receiver: Receiver, failures: Failures) -> None:
    receiver.answer = SpanExportResult.FAILURE
    tell(spans, "lost")
    until(lambda: failures.last_failed)
    receiver.answer = SpanExportResult.SUCCESS
    tell(spans, "sent")
    until(lambda: not failures.last_failed)
    assert receiver.names == ["sent"]


def test_an_exporter_that_can_not_be_made_is_a_loss_like_any_other(failures: Failures) -> None:
    def without_credentials() -> SpanExporter:
        raise OSError("no credentials")

    spans = Spans(without_credentials, failures, Resource({}), ratio=1)
    spans.begin()
    tell(spans)
    until(lambda: failures.last_failed)
    assert seconds_of(lambda: spans.close(5)) < 2
