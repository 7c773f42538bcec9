"""What the rollout's adapters ask for, and what they make of the answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import grpc
import pytest
from google.api.distribution_pb2 import Distribution
from google.cloud.monitoring_v3 import ListTimeSeriesRequest, Point, TimeSeries, TypedValue

from events.envelope import Outgoing
from events.errors import NotFoundError, TransientError
from rollout.lanes import GooglePushLanes
from rollout.measurements import GoogleMeasurements
from tests.integration.warming.metric_server import MetricServer

if TYPE_CHECKING:
    from collections.abc import Iterator

UNTIL = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
SINCE = UNTIL - timedelta(minutes=9, seconds=10)


@pytest.fixture
def server() -> Iterator[MetricServer]:
    with MetricServer() as running:
        yield running


@pytest.fixture
def measurements(server: MetricServer) -> Iterator[GoogleMeasurements]:
    channel = grpc.insecure_channel(server.address)
    adapter = GoogleMeasurements.over(channel, project="cutout-shop", region="europe-west4", deadline=1)
    yield adapter
    adapter.close()


def counted(code: str, *counts: int) -> TimeSeries:
    points = [Point(value=TypedValue(int64_value=count)) for count in counts]
    return TimeSeries(metric={"labels": {"response_code": code}}, points=points)


def distributed(options: dict[str, object], counts: list[int]) -> TimeSeries:
    value = Distribution(count=sum(counts), bucket_counts=counts, bucket_options=options)
    return TimeSeries(points=[Point(value=TypedValue(distribution_value=value))])


def test_a_revision_is_measured_alone_over_one_period_of_whole_minutes(
    server: MetricServer, measurements: GoogleMeasurements
) -> None:
    server.answer = lambda _: []
    assert measurements.sample("gpu-worker", "r2", SINCE, UNTIL).requests == 0
    count, latency = server.requests
    for request in (count, latency):
        assert 'resource.labels.revision_name = "r2"' in request.filter
        assert 'resource.labels.location = "europe-west4"' in request.filter
        assert request.name == "projects/cutout-shop"
        assert request.aggregation.alignment_period == timedelta(minutes=10)
        assert request.interval.end_time.timestamp() - request.interval.start_time.timestamp() == 600
    assert "run.googleapis.com/request_count" in count.filter
    assert list(count.aggregation.group_by_fields) == ["metric.labels.response_code"]
    assert "run.googleapis.com/request_latencies" in latency.filter
    assert 'response_code_class = "2xx"' in latency.filter


def test_everything_but_success_is_a_failure_and_what_was_turned_away_is_told_apart(
    server: MetricServer, measurements: GoogleMeasurements
) -> None:
    counts = [counted("204", 30, 10), counted("200", 2), counted("429", 9), counted("403", 1), counted("500", 2)]
    server.answer = lambda request: counts if "request_count" in request.filter else []
    sample = measurements.sample("gpu-worker", "r2", SINCE, UNTIL)
    assert (sample.requests, sample.errors, sample.turned_away) == (45, 3, 9)


@pytest.mark.parametrize(
    ("options", "bounds"),
    [
        ({"exponential_buckets": {"num_finite_buckets": 2, "growth_factor": 2.0, "scale": 500.0}}, (0.5, 1.0, 2.0)),
        ({"linear_buckets": {"num_finite_buckets": 2, "width": 500.0, "offset": 500.0}}, (0.5, 1.0, 1.5)),
        ({"explicit_buckets": {"bounds": [500.0, 1000.0, 8000.0]}}, (0.5, 1.0, 8.0)),
    ],
)
def test_latencies_are_read_in_seconds_and_added_up(
    server: MetricServer, measurements: GoogleMeasurements, options: dict[str, object], bounds: tuple[float, ...]
) -> None:
    def answer(request: ListTimeSeriesRequest) -> list[TimeSeries]:
        if "request_count" in request.filter:
            return [counted("204", 8)]
        return [distributed(options, [1, 2]), distributed(options, [0, 1, 3, 1])]

    server.answer = answer
    histogram = measurements.sample("gpu-worker", "r2", SINCE, UNTIL).seconds
    assert histogram.bounds == pytest.approx(bounds)
    assert histogram.counts == (1, 3, 3, 1)


def test_a_monitoring_that_fails_is_a_passing_failure(server: MetricServer, measurements: GoogleMeasurements) -> None:
    server.status = grpc.StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(TransientError, match="can't measure r2"):
        measurements.sample("gpu-worker", "r2", SINCE, UNTIL)


def test_a_lane_is_made_and_removed_as_often_as_one_likes(pubsub: str) -> None:
    lanes = GooglePushLanes.over(grpc.insecure_channel(pubsub), project="rollout-lanes")
    for _ in range(2):
        lanes.open("rollout-smoke-r-1", endpoint="https://r1.run.app/jobs", account="push@x", audience="https://worker")
    made = lanes._subscriber.get_subscription(subscription="projects/rollout-lanes/subscriptions/rollout-smoke-r-1")
    assert made.push_config.push_endpoint == "https://r1.run.app/jobs"
    assert made.push_config.oidc_token.service_account_email == "push@x"
    assert made.push_config.oidc_token.audience == "https://worker"
    assert made.expiration_policy.ttl == timedelta(days=1)
    assert lanes.names("rollout-smoke-") == ("rollout-smoke-r-1",)
    assert lanes.names("rollout-smoke-x") == ()
    for _ in range(2):
        lanes.close("rollout-smoke-r-1")
    assert lanes.names("") == ()
    with pytest.raises(NotFoundError, match="can't publish"):
        lanes.publish("rollout-smoke-r-1", Outgoing(topic="jobs", attributes={}, data="{}"))
    lanes.disconnect()
