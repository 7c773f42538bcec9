"""The numbers of a Prometheus registry in OpenTelemetry's data model, as its OTLP exporter sends them.

What a process counts is defined and counted once, with `prometheus_client`, and read twice: by `GET /metrics` where
there is one, and by this. The specification's name for this is a metric producer
(https://opentelemetry.io/docs/specs/otel/metrics/sdk/#metricproducer), which the SDK for Python doesn't have; its
observable instruments can't carry histograms.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.sdk.resources import Resource
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric as Family
    from prometheus_client.samples import Sample

    Labels = tuple[tuple[str, str], ...]

__all__ = ["metrics_data"]

_SCOPE: Final = InstrumentationScope("cutout")
_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
_UNKNOWN: Final = cast("float", None)
"""Prometheus keeps no extremes; what is None doesn't get into the message."""


class _Span(NamedTuple):
    """When counting began, and now, in ns since the epoch."""

    began: int
    now: int


def metrics_data(registry: CollectorRegistry, resource: Resource, *, began: int, now: int) -> MetricsData:
    """Every counter, gauge and histogram of `registry`. `began` and `now` in ns since the epoch."""
    span = _Span(began, now)
    metrics = [metric for family in registry.collect() if (metric := _metric(family, span)) is not None]
    scope = ScopeMetrics(scope=_SCOPE, metrics=metrics, schema_url="")
    return MetricsData([ResourceMetrics(resource=resource, scope_metrics=[scope], schema_url="")])


def _metric(family: Family, span: _Span) -> Metric | None:
    """None for a kind that is not used here, and where nothing was counted yet."""
    data: Sum | Gauge | Histogram
    name = family.name
    if family.type == "counter":
        name = f"{name}_total"
        data = Sum(_numbers(_ending(family, "_total"), span), _CUMULATIVE, is_monotonic=True)
    elif family.type == "gauge":
        data = Gauge(_numbers(family.samples, span))
    elif family.type == "histogram":
        data = Histogram(_histograms(family, span), _CUMULATIVE)
    else:
        return None
    return Metric(name, family.documentation, family.unit, data) if data.data_points else None


def _numbers(samples: Iterable[Sample], span: _Span) -> list[NumberDataPoint]:
    return [NumberDataPoint(sample.labels, span.began, span.now, sample.value) for sample in samples]


def _histograms(family: Family, span: _Span) -> list[HistogramDataPoint]:
    """Prometheus counts what is at most a bound, OTLP what lies between two."""
    buckets: defaultdict[Labels, list[tuple[float, float]]] = defaultdict(list)
    for sample in _ending(family, "_bucket"):
        bound = float(sample.labels["le"])
        buckets[_labels(sample)].append((bound, sample.value))
    sums = {_labels(sample): sample.value for sample in _ending(family, "_sum")}
    return [_histogram(labels, sorted(counts), sums[labels], span) for labels, counts in buckets.items()]


def _histogram(labels: Labels, counts: list[tuple[float, float]], total: float, span: _Span) -> HistogramDataPoint:
    upto = [int(count) for _, count in counts]
    return HistogramDataPoint(
        attributes=dict(labels),
        start_time_unix_nano=span.began,
        time_unix_nano=span.now,
        count=upto[-1],
        sum=total,
        bucket_counts=[each - before for before, each in zip([0, *upto], upto, strict=False)],
        explicit_bounds=[bound for bound, _ in counts[:-1]],
        min=_UNKNOWN,
        max=_UNKNOWN,
    )


def _ending(family: Family, suffix: str) -> Iterable[Sample]:
    return (sample for sample in family.samples if sample.name == f"{family.name}{suffix}")


def _labels(sample: Sample) -> Labels:
    """Without the bound of a bucket."""
    return tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))
