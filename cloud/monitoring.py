"""Cloud Monitoring: the time that Cloud Run bills, and how many instances it runs.

Source: `container/billable_instance_time` and `container/instance_count` in
https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run. Their values are there some two minutes late.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, Self, cast

import grpc
from google.api_core.exceptions import DeadlineExceeded, GoogleAPIError, InternalServerError, ServiceUnavailable
from google.api_core.retry import Retry, if_exception_type
from google.api_core.timeout import ConstantTimeout
from google.auth.exceptions import GoogleAuthError
from google.cloud.monitoring_v3 import Aggregation, ListTimeSeriesRequest, MetricServiceClient, TimeInterval
from google.cloud.monitoring_v3.services.metric_service.transports import MetricServiceGrpcTransport

from cloud.breaker import Breakers
from events.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from planner.instance import Observation

__all__ = ["DEADLINE_SECONDS", "GoogleBillableTime", "GoogleInstanceCount"]

DEADLINE_SECONDS: Final = 20.0
"""A call starts no further attempt after this time."""

_CIRCUIT: Final = "monitoring"
_METRIC: Final = "run.googleapis.com/container/billable_instance_time"
_COUNT: Final = "run.googleapis.com/container/instance_count"
_MINUTE: Final = timedelta(minutes=1)
_LATE: Final = timedelta(minutes=5)
_SOON_SECONDS: Final = 3.0
"""Whoever asks how many instances there are is about to warm one, while a shopper may be uploading."""
_HOUR: Final = timedelta(hours=1)
_TIMEOUT: Final = ConstantTimeout(10.0)
_REPEATABLE: Final = if_exception_type(DeadlineExceeded, InternalServerError, ServiceUnavailable)


class GoogleBillableTime:
    """`warehouse.ports.BillableTime` of the services of one region. The connection is opened by the first call."""

    def __init__(
        self,
        client: MetricServiceClient,
        *,
        project: str,
        region: str,
        deadline: float = DEADLINE_SECONDS,
        breakers: Breakers | None = None,
    ) -> None:
        self._client = client
        self._project = project
        self._region = region
        self._breakers = breakers or Breakers()
        self._retry = Retry(predicate=_REPEATABLE, initial=0.2, maximum=5.0, multiplier=2.0, timeout=deadline)

    @classmethod
    def connect(
        cls,
        *,
        project: str,
        region: str,
        emulator: str | None = None,
        deadline: float = DEADLINE_SECONDS,
        breakers: Breakers | None = None,
    ) -> Self:
        """The API at `emulator` (`host:port`), else at `MONITORING_EMULATOR_HOST`, else the real one."""
        return cls(_client(emulator), project=project, region=region, deadline=deadline, breakers=breakers)

    def by_hour(self, service: str, since: datetime, until: datetime) -> Mapping[datetime, float]:
        """Billed seconds of all instances and revisions of the service; hours that are not known are left out.

        Raises `TransientError`, at once while Monitoring is left alone since it kept failing.
        """
        request = ListTimeSeriesRequest(
            name=f"projects/{self._project}",
            filter=(
                f'metric.type = "{_METRIC}" AND resource.type = "cloud_run_revision"'
                f' AND resource.labels.service_name = "{service}" AND resource.labels.location = "{self._region}"'
            ),
            interval=TimeInterval(start_time=since, end_time=until),
            aggregation=Aggregation(
                alignment_period=_HOUR,
                per_series_aligner=Aggregation.Aligner.ALIGN_DELTA,
                cross_series_reducer=Aggregation.Reducer.REDUCE_SUM,
            ),
        )
        seconds: dict[datetime, float] = {}
        with self._breakers.call(_CIRCUIT), _reporting(f"the billed time of {service}"):
            for series in self._client.list_time_series(request, retry=self._retry, timeout=_TIMEOUT):
                for point in series.points:
                    hour = _start_of(point.interval.end_time)
                    seconds[hour] = seconds.get(hour, 0.0) + point.value.double_value
        return seconds

    def close(self) -> None:
        self._client.transport.close()


class _Observation(NamedTuple):
    """Field for field a `planner.instance.Observation`, which this layer may not import."""

    at: datetime
    instances: int


class GoogleInstanceCount:
    """`jobs.lookout.InstanceMonitor` of one service. The connection is opened by the first call."""

    def __init__(
        self,
        client: MetricServiceClient,
        *,
        project: str,
        region: str,
        service: str,
        clock: Callable[[], datetime],
        deadline: float = _SOON_SECONDS,
        breakers: Breakers | None = None,
    ) -> None:
        self._client = client
        self._project = project
        self._filter = (
            f'metric.type = "{_COUNT}" AND resource.type = "cloud_run_revision"'
            f' AND resource.labels.service_name = "{service}" AND resource.labels.location = "{region}"'
        )
        self._clock = clock
        self._breakers = breakers or Breakers()
        self._retry = Retry(predicate=_REPEATABLE, initial=0.2, maximum=1.0, multiplier=2.0, timeout=deadline)
        self._timeout = ConstantTimeout(deadline)

    @classmethod
    def connect(
        cls,
        *,
        project: str,
        region: str,
        service: str,
        clock: Callable[[], datetime],
        emulator: str | None = None,
        breakers: Breakers | None = None,
    ) -> Self:
        """The API at `emulator` (`host:port`), else at `MONITORING_EMULATOR_HOST`, else the real one."""
        return cls(_client(emulator), project=project, region=region, service=service, clock=clock, breakers=breakers)

    def observed(self) -> Observation | None:
        """All instances of all revisions, active or idle, in the last minute that is known.

        Raises `TransientError`, at once while Monitoring is left alone since it kept failing.
        """
        now = self._clock()
        request = ListTimeSeriesRequest(
            name=f"projects/{self._project}",
            filter=self._filter,
            interval=TimeInterval(start_time=now - _LATE, end_time=now),
            aggregation=Aggregation(
                alignment_period=_MINUTE,
                per_series_aligner=Aggregation.Aligner.ALIGN_MAX,
                cross_series_reducer=Aggregation.Reducer.REDUCE_SUM,
            ),
        )
        with self._breakers.call(_CIRCUIT), _reporting("the number of instances"):
            series = list(self._client.list_time_series(request, retry=self._retry, timeout=self._timeout))
        points = [point for each in series for point in each.points]
        if not points:
            return None
        newest = max(points, key=lambda point: point.interval.end_time.timestamp())
        at = datetime.fromtimestamp(newest.interval.end_time.timestamp(), UTC)
        return cast("Observation", _Observation(at, newest.value.int64_value))

    def close(self) -> None:
        self._client.transport.close()


@contextmanager
def _reporting(what: str) -> Iterator[None]:
    """Every failure of the service, the network or the credentials as an error of ours."""
    try:
        yield
    except (GoogleAPIError, GoogleAuthError) as error:
        raise TransientError(f"Monitoring: can't read {what}: {error}") from error


def _client(emulator: str | None) -> MetricServiceClient:
    host = emulator or os.environ.get("MONITORING_EMULATOR_HOST")
    if not host:
        return MetricServiceClient()
    return MetricServiceClient(transport=MetricServiceGrpcTransport(channel=grpc.insecure_channel(host)))


def _start_of(end: datetime) -> datetime:
    """The hour that an aligned period with this end covers."""
    return datetime.fromtimestamp(end.timestamp(), UTC) - _HOUR
