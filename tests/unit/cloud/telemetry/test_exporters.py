from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NoReturn

import google.auth
import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError
from google.auth.transport.requests import AuthorizedSession
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import CollectorRegistry, Counter

from cloud.telemetry.settings import TelemetrySettings
from cloud.telemetry.start import Telemetry
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

IN_CLOUD = {
    "PROJECT": "cutout-test",
    "REGION": "europe-west4",
    "K_SERVICE": "on-upload",
    "K_REVISION": "on-upload-00007",
    "TRACES": "cloud",
    "METRICS": "cloud",
}


@pytest.fixture
def posts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes]]:
    """What was sent with the process's credentials: URLs and bodies."""
    sent: list[tuple[str, bytes]] = []

    def request(_session: AuthorizedSession, method: str, url: str, data: bytes, **_how: Any) -> requests.Response:
        assert method == "POST"
        sent.append((url, data))
        response = requests.Response()
        response.status_code = 200
        return response

    monkeypatch.setattr(AuthorizedSession, "request", request)
    monkeypatch.setattr(google.auth, "default", lambda **_scopes: (AnonymousCredentials(), "cutout-test"))
    return sent


def telemetry(**changes: str) -> Telemetry:
    return Telemetry(TelemetrySettings.from_env(IN_CLOUD | changes, service="on_upload"))


def counted() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("cutout_jobs", "Jobs", registry=registry).inc()
    return registry


def values(attributes: Any) -> Mapping[str, str]:
    return {each.key: each.value.string_value for each in attributes}


def test_in_the_cloud_spans_and_numbers_go_to_the_telemetry_api(posts: list[tuple[str, bytes]]) -> None:
    told = telemetry()
    told.watch(counted())
    told.begin()
    assert told.tracer is not None
    with told.tracer.span("on_upload", parent=None):
        pass
    told.close(5)
    bodies = dict(posts)
    assert set(bodies) == {f"https://telemetry.googleapis.com/v1/{signal}" for signal in ("traces", "metrics")}
    [spans] = ExportTraceServiceRequest.FromString(bodies["https://telemetry.googleapis.com/v1/traces"]).resource_spans
    assert [span.name for span in spans.scope_spans[0].spans] == ["on_upload"]
    [numbers] = ExportMetricsServiceRequest.FromString(
        bodies["https://telemetry.googleapis.com/v1/metrics"]
    ).resource_metrics
    assert [metric.name for metric in numbers.scope_metrics[0].metrics] == ["cutout_jobs_total"]
    for resource in (spans.resource, numbers.resource):
        about = values(resource.attributes)
        assert about["service.instance.id"]
        assert (about["gcp.project_id"], about["cloud.region"]) == ("cutout-test", "europe-west4")
        assert (about["service.name"], about["service.version"]) == ("on-upload", "on-upload-00007")


def test_a_flush_sends_the_spans_of_an_invocation(posts: list[tuple[str, bytes]]) -> None:
    told = telemetry(METRICS="off", TELEMETRY_FLUSH_SECONDS="5")
    told.begin()
    assert told.tracer is not None
    with told.tracer.span("on_upload", parent=None):
        pass
    told.flush()
    assert len(posts) == 1
    told.close(5)


def test_without_credentials_a_process_works_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_found(**_scopes: object) -> NoReturn:
        raise DefaultCredentialsError("no credentials")

    monkeypatch.setattr(google.auth, "default", none_found)
    told = telemetry(METRICS_INTERVAL_SECONDS="1")
    told.watch(counted())
    told.begin()
    assert told.tracer is not None
    with told.tracer.span("on_upload", parent=None):
        pass
    until(lambda: caplog.messages.count("telemetry_lost") == 2)
    assert {vars(record)["reason"] for record in caplog.records} == {"DefaultCredentialsError"}
    assert seconds_of(lambda: told.close(5)) < 2


def test_what_is_off_does_nothing() -> None:
    told = telemetry(TRACES="off", METRICS="off")
    told.watch(counted())
    told.begin()
    assert (told.tracer, told.measures) == (None, False)
    assert seconds_of(told.flush) < 0.1
    assert seconds_of(lambda: told.close(5)) < 0.1


@pytest.mark.parametrize("signal", ["TRACES", "METRICS"])
def test_the_console_gets_a_line_each(signal: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = telemetry(**{"TRACES": "off", "METRICS": "off", signal: "console"})
    told.watch(counted())
    told.begin()
    if told.tracer is not None:
        with told.tracer.span("on_upload", parent=None):
            pass
    told.close(5)
    [line] = capsys.readouterr().out.splitlines()
    assert ("on_upload" if signal == "TRACES" else "cutout_jobs_total") in line


def seconds_of(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started
