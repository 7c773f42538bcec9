from __future__ import annotations

from typing import Any

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from cloud.telemetry.points import metrics_data

BEGAN, NOW = 1_700_000_000_000_000_000, 1_700_000_060_000_000_000


def sent(registry: CollectorRegistry) -> dict[str, Any]:
    """The metrics by name, as they are on the wire."""
    message = encode_metrics(metrics_data(registry, Resource({"service.name": "test"}), began=BEGAN, now=NOW))
    [resource] = message.resource_metrics
    assert resource.resource.attributes[0].value.string_value == "test"
    [scope] = resource.scope_metrics
    return {metric.name: metric for metric in scope.metrics}


def labels(point: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in point.attributes}


def test_a_counter_is_a_monotonic_sum_since_the_start() -> None:
    registry = CollectorRegistry()
    counter = Counter("cutout_jobs", "Jobs", ["outcome"], registry=registry)
    counter.labels("completed").inc(3)
    counter.labels("corrupt_image").inc()
    metric = sent(registry)["cutout_jobs_total"]
    assert metric.sum.is_monotonic
    assert metric.sum.aggregation_temporality == 2  # cumulative
    points = {labels(point)["outcome"]: point for point in metric.sum.data_points}
    assert {outcome: point.as_double for outcome, point in points.items()} == {"completed": 3, "corrupt_image": 1}
    assert points["completed"].start_time_unix_nano == BEGAN
    assert points["completed"].time_unix_nano == NOW


def test_a_gauge_is_read_when_it_is_sent() -> None:
    registry = CollectorRegistry()
    waiting = [1.0]
    Gauge("cutout_network_queue", "Photos", registry=registry).set_function(lambda: waiting[0])
    waiting[0] = 7.0
    [point] = sent(registry)["cutout_network_queue"].gauge.data_points
    assert point.as_double == 7


def test_a_histogram_has_what_lies_between_its_bounds() -> None:
    registry = CollectorRegistry()
    histogram = Histogram("cutout_stage_seconds", "Seconds", ["stage"], buckets=(0.1, 1, 10), registry=registry)
    for seconds in (0.05, 0.5, 0.6, 100.0):
        histogram.labels("network").observe(seconds)
    histogram.labels("decode").observe(1)
    points = {labels(point)["stage"]: point for point in sent(registry)["cutout_stage_seconds"].histogram.data_points}
    network = points["network"]
    assert list(network.explicit_bounds) == [0.1, 1, 10]
    assert list(network.bucket_counts) == [1, 2, 0, 1]
    assert (network.count, network.sum) == (4, 101.15)
    assert list(points["decode"].bucket_counts) == [0, 1, 0, 0]
    assert labels(network) == {"stage": "network"}
    assert not network.HasField("min")
    assert not network.HasField("max")


def test_what_was_never_counted_and_kinds_that_are_not_used_are_left_out() -> None:
    registry = CollectorRegistry()
    Counter("cutout_jobs", "Jobs", ["outcome"], registry=registry)
    Info("cutout_build", "Build", registry=registry).info({"version": "1"})
    assert sent(registry) == {}
