"""The number of instances, asked of a Monitoring API on loopback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import grpc
import pytest

from cloud.monitoring import GoogleInstanceCount
from events.errors import TransientError
from tests.integration.warming.metric_server import MetricServer

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[MetricServer]:
    with MetricServer() as server:
        yield server


@pytest.fixture
def count(server: MetricServer) -> Iterator[GoogleInstanceCount]:
    count = GoogleInstanceCount.connect(
        project="p", region="europe-west4", service="gpu-worker", clock=lambda: NOW, emulator=server.address
    )
    yield count
    count.close()


def test_the_newest_minute_counts(server: MetricServer, count: GoogleInstanceCount) -> None:
    newest = NOW - timedelta(minutes=2)
    server.points = [(newest, 2), (newest - timedelta(minutes=1), 5)]
    assert count.observed() == (newest, 2)


def test_the_service_of_this_region_is_asked_about_by_the_minute(
    server: MetricServer, count: GoogleInstanceCount
) -> None:
    count.observed()
    [request] = server.requests
    assert request.name == "projects/p"
    assert 'metric.type = "run.googleapis.com/container/instance_count"' in request.filter
    assert 'resource.labels.service_name = "gpu-worker"' in request.filter
    assert 'resource.labels.location = "europe-west4"' in request.filter
    assert request.aggregation.alignment_period == timedelta(minutes=1)


def test_a_service_that_nothing_is_known_of_has_no_number(count: GoogleInstanceCount) -> None:
    assert count.observed() is None


@pytest.mark.parametrize("status", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_a_refusal_passes(server: MetricServer, count: GoogleInstanceCount, status: grpc.StatusCode) -> None:
    server.status = status
    with pytest.raises(TransientError, match="told to fail"):
        count.observed()
