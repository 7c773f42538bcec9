from __future__ import annotations

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from events.errors import CorruptImageError, TransientError
from events.trace import is_traceparent, new_traceparent, trace_id
from tests.unit.examples import TRACEPARENT
from tests.unit.tracing import Recorder, context_of

UNSAMPLED = f"{TRACEPARENT[:-2]}00"


@pytest.mark.parametrize("parent", [TRACEPARENT, f"01{TRACEPARENT[2:]}-and-more"])
def test_a_span_continues_the_trace_that_its_parent_names(parent: str) -> None:
    recorder = Recorder()
    with recorder.tracer.span("on_upload", parent=parent, kind="consumer") as span:
        told = span.traceparent
    [ended] = recorder.spans
    assert is_traceparent(told)
    assert trace_id(told) == trace_id(TRACEPARENT)
    assert told.split("-")[2] == f"{context_of(ended).span_id:016x}"
    assert ended.parent is not None
    assert f"{ended.parent.span_id:016x}" == TRACEPARENT.split("-")[2]
    assert ended.kind is SpanKind.CONSUMER


@pytest.mark.parametrize("parent", [None, "", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01"])
def test_without_a_valid_parent_a_trace_begins(parent: str | None) -> None:
    recorder = Recorder()
    with recorder.tracer.span("on_upload", parent=parent) as span:
        assert is_traceparent(span.traceparent)
    assert recorder.spans[0].parent is None


def test_attributes_have_our_prefix_and_unknown_ones_are_left_out() -> None:
    recorder = Recorder()
    with recorder.tracer.span("work", parent=None, job_id="j", lane=None) as span:
        span.set(cache="hit", status=None, attempt=2)
    assert recorder.spans[0].attributes == {"cutout.job_id": "j", "cutout.cache": "hit", "cutout.attempt": 2}


def test_a_failure_is_named_by_its_code_and_goes_on() -> None:
    recorder = Recorder()
    with pytest.raises(TransientError), recorder.tracer.span("work", parent=None):
        raise TransientError("PUT https://storage.test/o?X-Goog-Signature=secret failed")
    [span] = recorder.spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes == {"error.type": "temporarily_unavailable"}
    assert "secret" not in span.to_json()


def test_an_unforeseen_failure_is_named_by_its_type() -> None:
    recorder = Recorder()
    with pytest.raises(ZeroDivisionError), recorder.tracer.span("work", parent=None):
        raise ZeroDivisionError("of a shopper")
    assert recorder.spans[0].attributes == {"error.type": "ZeroDivisionError"}
    assert "shopper" not in recorder.spans[0].to_json()


def test_what_can_never_work_is_no_error_of_the_service() -> None:
    recorder = Recorder()
    with pytest.raises(CorruptImageError), recorder.tracer.span("work", parent=None):
        raise CorruptImageError("no JPEG")
    assert recorder.spans[0].status.status_code is StatusCode.UNSET
    assert recorder.spans[0].attributes == {"error.type": "corrupt_image"}


def test_links_name_other_work_and_a_malformed_one_is_left_out() -> None:
    recorder, other, later = Recorder(), new_traceparent(), new_traceparent()
    with recorder.tracer.span("work", parent=None, links=[other, "nonsense"]) as span:
        span.link(later)
        span.link("nonsense")
    linked = [f"{link.context.trace_id:032x}" for link in recorder.spans[0].links]
    assert linked == [trace_id(other), trace_id(later)]


class TestSampling:
    @pytest.mark.parametrize("callers", [TRACEPARENT, UNSAMPLED])
    def test_a_public_function_decides_whatever_its_caller_did(self, callers: str) -> None:
        everything, nothing = Recorder(ratio=1), Recorder(ratio=0)
        with everything.tracer.span("request_upload", parent=callers, kind="server") as span:
            assert span.traceparent.endswith(("-01", "-03"))
            assert trace_id(span.traceparent) == trace_id(callers)
        with nothing.tracer.span("request_upload", parent=callers, kind="server") as span:
            assert int(span.traceparent[-2:], 16) & 1 == 0
            assert trace_id(span.traceparent) == trace_id(callers)
        assert (len(everything.spans), len(nothing.spans)) == (1, 0)

    def test_what_follows_does_as_its_parent_did(self) -> None:
        everything, nothing = Recorder(ratio=1), Recorder(ratio=0)
        with everything.tracer.span("notify", parent=UNSAMPLED, kind="consumer") as span:
            assert int(span.traceparent[-2:], 16) & 1 == 0
        with nothing.tracer.span("notify", parent=TRACEPARENT, kind="consumer") as span:
            assert int(span.traceparent[-2:], 16) & 1 == 1
        assert (len(everything.spans), len(nothing.spans)) == (0, 1)

    def test_the_share_of_traces_is_the_ratio(self) -> None:
        recorder = Recorder(ratio=0.25)
        for _ in range(2000):
            with recorder.tracer.span("request_upload", parent=None, kind="server"):
                pass
        assert 400 < len(recorder.spans) < 600
