"""Where telemetry goes: OTLP over HTTP to Google's Telemetry API or to any collector, or lines on stdout.

Google's own exporters for Python are deprecated in favour of OTLP to `telemetry.googleapis.com`
(https://github.com/GoogleCloudPlatform/opentelemetry-operations-python/blob/main/MIGRATION.md); so one exporter serves
the cloud and a local collector.
"""

from __future__ import annotations

import logging
import sys
import uuid
from typing import TYPE_CHECKING, Final, Literal

from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult

from cloud.telemetry.points import metrics_data

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace import ReadableSpan
    from prometheus_client import CollectorRegistry
    from requests import Session

    from cloud.telemetry.failures import Failures
    from cloud.telemetry.settings import Target, TelemetrySettings

__all__ = ["GuardedSpanExporter", "metric_sender", "quiet_libraries", "resource", "span_exporter"]

_CLOUD: Final = "https://telemetry.googleapis.com"
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_SECONDS: Final = 5.0
"""What one request may take, its retries included."""


def resource(settings: TelemetrySettings) -> Resource:
    """Who tells: a new instance with every call. The Telemetry API refuses metrics without a place and an instance.

    `Resource.create` would start threads that look for more of it.
    """
    return Resource(
        {
            "service.namespace": "cutout",
            "service.name": settings.service,
            "service.version": settings.revision,
            "service.instance.id": str(uuid.uuid4()),
            "cloud.provider": "gcp",
            "cloud.platform": "gcp_cloud_run",
            "cloud.region": settings.region,
            "gcp.project_id": settings.project,
        }
    )


def quiet_libraries() -> None:
    """The SDK logs every failure with its traceback; `Failures` says it once an interval."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)


class GuardedSpanExporter(SpanExporter):
    """Counts what could not be sent. Never raises.

    `make` is called by the first export, in the thread that sends: the exporter's imports and the search for
    credentials are no part of a cold start.
    """

    def __init__(self, make: Callable[[], SpanExporter], failures: Failures) -> None:
        self._make = make
        self._exporter: SpanExporter | None = None
        self._failures = failures

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            if self._exporter is None:
                self._exporter = self._make()
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001  # telemetry never fails a job
            self._failures.lost(len(spans), type(error).__name__)
            return SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self._failures.sent()
        else:
            self._failures.lost(len(spans), "refused_or_unreachable")
        return result

    def shutdown(self) -> None:
        if self._exporter is not None:
            self._exporter.shutdown()


def span_exporter(settings: TelemetrySettings) -> SpanExporter:
    if settings.traces == "console":
        return ConsoleSpanExporter(out=sys.stdout, formatter=lambda span: f"{span.to_json(indent=None)}\n")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    return OTLPSpanExporter(
        endpoint=_endpoint(settings.traces, settings, "traces"), timeout=_SECONDS, session=_session(settings.traces)
    )


def metric_sender(settings: TelemetrySettings, registry: CollectorRegistry) -> Callable[[int, int], bool]:
    """Sends the numbers of `registry`, counted since the first and until the second time, in ns since the epoch.

    Says whether they were sent, or raises whatever it may be.
    """
    exporter, about = _metric_exporter(settings), resource(settings)

    def send(began: int, now: int) -> bool:
        data = metrics_data(registry, about, began=began, now=now)
        return exporter.export(data) is MetricExportResult.SUCCESS

    return send


def _metric_exporter(settings: TelemetrySettings) -> MetricExporter:
    if settings.metrics == "console":
        return ConsoleMetricExporter(out=sys.stdout, formatter=lambda data: f"{data.to_json(indent=None)}\n")
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415

    return OTLPMetricExporter(
        endpoint=_endpoint(settings.metrics, settings, "metrics"), timeout=_SECONDS, session=_session(settings.metrics)
    )


def _endpoint(target: Target, settings: TelemetrySettings, signal: Literal["traces", "metrics"]) -> str:
    return f"{_CLOUD if target == 'cloud' else settings.collector}/v1/{signal}"


def _session(target: Target) -> Session | None:
    """With the credentials of the process where Google asks for them."""
    if target != "cloud":
        return None
    import google.auth  # noqa: PLC0415  # only in the cloud
    from google.auth.transport.requests import AuthorizedSession  # noqa: PLC0415

    credentials, _ = google.auth.default(scopes=[_SCOPE])
    session: Session = AuthorizedSession(credentials)
    return session
