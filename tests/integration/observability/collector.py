"""An OTLP collector as small as can be: takes traces and metrics over HTTP, and keeps them decoded."""

from __future__ import annotations

import gzip
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.http_server import Answer, HttpServer
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.http_server import Asked

__all__ = ["Collector", "Point", "Span"]

T = TypeVar("T")


class Span(NamedTuple):
    """Ids in hexadecimal digits; `parent` is empty for a root. `links` are span ids. Times in ns since the epoch."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    attributes: dict[str, Any]
    began: int
    ended: int


class Point(NamedTuple):
    """`value` of a sum or gauge, or how many values a histogram has."""

    service: str
    name: str
    labels: dict[str, Any]
    value: float


class Collector(HttpServer):
    def __init__(self) -> None:
        super().__init__(self._answer)
        self._arrived = threading.Condition()
        self._spans: list[Span] = []
        self._points: list[Point] = []
        self.resources: list[dict[str, Any]] = []

    def spans_of(self, job_id: str, *, until: Callable[[list[Span]], bool], seconds: float = PATIENCE) -> list[Span]:
        """Every span of the traces in which that job was worked on, once `until` holds of them."""

        def found() -> list[Span]:
            traces = {span.trace for span in self._spans if span.attributes.get("cutout.job_id") == job_id}
            return [span for span in self._spans if span.trace in traces]

        return self._wait(found, until, seconds)

    def points(self, name: str, *, until: Callable[[list[Point]], bool], seconds: float = PATIENCE) -> list[Point]:
        """Every point of that name so far, once `until` holds of them."""
        return self._wait(lambda: [point for point in self._points if point.name == name], until, seconds)

    def _wait(self, read: Callable[[], list[T]], until: Callable[[list[T]], bool], seconds: float) -> list[T]:
        deadline = time.monotonic() + seconds
        with self._arrived:
            while not until(found := read()):
                if not self._arrived.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"after {seconds:.0f} s there are {len(found)}, at last {found[-30:]}")
            return found

    def _answer(self, asked: Asked) -> Answer:
        body = gzip.decompress(asked.body) if asked.headers["Content-Encoding"] == "gzip" else asked.body
        with self._arrived:
            if asked.path == "/v1/traces":
                self._take_spans(ExportTraceServiceRequest.FromString(body))
            elif asked.path == "/v1/metrics":
                self._take_points(ExportMetricsServiceRequest.FromString(body))
            else:
                raise ValueError(f"nothing is sent to {asked.path}")
            self._arrived.notify_all()
        return Answer()

    def _take_spans(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            about = _values(resource.resource.attributes)
            self.resources.append(about)
            self._spans += [
                Span(
                    service=about["service.name"],
                    name=span.name,
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    links=tuple(link.span_id.hex() for link in span.links),
                    attributes=_values(span.attributes),
                    began=span.start_time_unix_nano,
                    ended=span.end_time_unix_nano,
                )
                for scope in resource.scope_spans
                for span in scope.spans
            ]

    def _take_points(self, request: ExportMetricsServiceRequest) -> None:
        for resource in request.resource_metrics:
            about = _values(resource.resource.attributes)
            self.resources.append(about)
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                numbers = [*metric.sum.data_points, *metric.gauge.data_points]
                pairs = [(point.attributes, point.as_double) for point in numbers]
                pairs += [(point.attributes, float(point.count)) for point in metric.histogram.data_points]
                self._points += [Point(about["service.name"], metric.name, _values(of), value) for of, value in pairs]


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
