"""Cloud Monitoring as `rollout.ports.Measurements`: what Cloud Run itself counts of each revision.

Requests that got 429 are counted by themselves: Cloud Run turns them away where it has no instance, and a worker where
it is overloaded. Everything else that is no success counts as failed, a refused token no less than a crash.
Source: `request_count` and `request_latencies` in https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

import grpc
from google.cloud.monitoring_v3 import Aggregation, ListTimeSeriesRequest, MetricServiceClient, TimeInterval
from google.cloud.monitoring_v3.services.metric_service.transports import MetricServiceGrpcTransport

from rollout.google import TIMEOUT, reporting, retry
from rollout.sample import EMPTY, Histogram, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from google.api.distribution_pb2 import Distribution
    from google.cloud.monitoring_v3 import TimeSeries

__all__ = ["GoogleMeasurements"]

_COUNT: Final = "run.googleapis.com/request_count"
_LATENCIES: Final = "run.googleapis.com/request_latencies"
_CODE: Final = "metric.labels.response_code"
_TURNED_AWAY: Final = "429"
_MINUTE: Final = 60
_MILLISECONDS: Final = 1000.0


class GoogleMeasurements:
    """Of the services of one region. The connection is opened by the first call."""

    def __init__(self, client: MetricServiceClient, *, project: str, region: str, deadline: float = 60.0) -> None:
        self._client = client
        self._project = project
        self._region = region
        self._retry = retry(deadline)

    @classmethod
    def connect(cls, *, project: str, region: str) -> Self:
        """The API at `MONITORING_EMULATOR_HOST` (`host:port`), else the real one."""
        host = os.environ.get("MONITORING_EMULATOR_HOST")
        if not host:
            return cls(MetricServiceClient(), project=project, region=region)
        return cls.over(grpc.insecure_channel(host), project=project, region=region)

    @classmethod
    def over(cls, channel: grpc.Channel, *, project: str, region: str, deadline: float = 60.0) -> Self:
        transport = MetricServiceGrpcTransport(channel=channel)
        return cls(MetricServiceClient(transport=transport), project=project, region=region, deadline=deadline)

    def sample(self, service: str, revision: str, since: datetime, until: datetime) -> Sample:
        where = (
            f'resource.type = "cloud_run_revision" AND resource.labels.service_name = "{service}"'
            f' AND resource.labels.location = "{self._region}" AND resource.labels.revision_name = "{revision}"'
        )
        # One period that covers everything: whole minutes, as Monitoring wants them.
        minutes = max(1, math.ceil((until - since).total_seconds() / _MINUTE))
        period = timedelta(minutes=minutes)
        interval = TimeInterval(start_time=until - period, end_time=until)
        with reporting(f"measure {revision}"):
            counts = self._by_code(f'metric.type = "{_COUNT}" AND {where}', interval, period)
            answered = f'metric.type = "{_LATENCIES}" AND metric.labels.response_code_class = "2xx" AND {where}'
            seconds = self._histogram(answered, interval, period)
        turned_away = counts.pop(_TURNED_AWAY, 0)
        failed = sum(count for code, count in counts.items() if not code.startswith("2"))
        return Sample(sum(counts.values()), failed, seconds, turned_away)

    def close(self) -> None:
        self._client.transport.close()

    def _by_code(self, wanted: str, interval: TimeInterval, period: timedelta) -> Counter[str]:
        found: Counter[str] = Counter()
        for series in self._list(wanted, interval, period, _CODE):
            for point in series.points:
                found[series.metric.labels["response_code"]] += round(point.value.int64_value)
        return found

    def _histogram(self, wanted: str, interval: TimeInterval, period: timedelta) -> Histogram:
        merged = EMPTY.seconds
        for series in self._list(wanted, interval, period):
            for point in series.points:
                merged = _added(merged, point.value.distribution_value)
        return merged

    def _list(self, wanted: str, interval: TimeInterval, period: timedelta, *by: str) -> Iterator[TimeSeries]:
        request = ListTimeSeriesRequest(
            name=f"projects/{self._project}",
            filter=wanted,
            interval=interval,
            aggregation=Aggregation(
                alignment_period=period,
                per_series_aligner=Aggregation.Aligner.ALIGN_DELTA,
                cross_series_reducer=Aggregation.Reducer.REDUCE_SUM,
                group_by_fields=by,
            ),
        )
        yield from self._client.list_time_series(request, retry=self._retry, timeout=TIMEOUT)


def _added(histogram: Histogram, distribution: Distribution) -> Histogram:
    """Cloud Run's latencies always have the same buckets."""
    bounds = tuple(bound / _MILLISECONDS for bound in _bounds(distribution))
    counts = [*distribution.bucket_counts, *([0] * (len(bounds) + 1 - len(distribution.bucket_counts)))]
    if histogram.total:
        counts = [one + other for one, other in zip(histogram.counts, counts, strict=True)]
    return Histogram(bounds, tuple(counts))


def _bounds(distribution: Distribution) -> tuple[float, ...]:
    """Upper bounds of all buckets but the last, in the metric's unit."""
    options = distribution.bucket_options
    if exponential := options.exponential_buckets.num_finite_buckets:
        scale, growth = options.exponential_buckets.scale, options.exponential_buckets.growth_factor
        return tuple(scale * growth**power for power in range(exponential + 1))
    if linear := options.linear_buckets.num_finite_buckets:
        return tuple(options.linear_buckets.offset + options.linear_buckets.width * step for step in range(linear + 1))
    return tuple(options.explicit_buckets.bounds)
