"""Cloud Monitoring's stand-in: its API of time series over real gRPC, with the client's own types."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

import grpc
from google.cloud.monitoring_v3 import (
    ListTimeSeriesRequest,
    ListTimeSeriesResponse,
    Point,
    TimeInterval,
    TimeSeries,
    TypedValue,
)

from local.lives import seconds_by_hour
from local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from types import TracebackType

    from local.lives import WorkerLives

    Answer = Callable[[ListTimeSeriesRequest, grpc.ServicerContext], list[TimeSeries]]

__all__ = ["BILLABLE_TIME", "MonitoringApi", "hourly", "worker_time"]

BILLABLE_TIME: Final = "run.googleapis.com/container/billable_instance_time"

_SERVICE: Final = "google.monitoring.v3.MetricService"
_HOUR: Final = timedelta(hours=1)


class MonitoringApi:
    """Use as a context manager. `answer` gives the series of a request, or aborts the call by its context."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._server = grpc.server(ThreadPoolExecutor(2))
        handler = grpc.unary_unary_rpc_method_handler(
            self._list,
            request_deserializer=ListTimeSeriesRequest.deserialize,
            response_serializer=ListTimeSeriesResponse.serialize,
        )
        generic = grpc.method_handlers_generic_handler(_SERVICE, {"ListTimeSeries": handler})
        self._server.add_generic_rpc_handlers((generic,))
        self.address = f"{LOOPBACK}:{self._server.add_insecure_port(f'{LOOPBACK}:0')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(grace=None).wait()

    def _list(self, request: ListTimeSeriesRequest, context: grpc.ServicerContext) -> ListTimeSeriesResponse:
        return ListTimeSeriesResponse(time_series=self._answer(request, context))


def hourly(values: Mapping[datetime, float]) -> list[TimeSeries]:
    """One series of a value for each hour, the newest first; none without values."""
    points = [
        Point(interval=TimeInterval(start_time=hour, end_time=hour + _HOUR), value=TypedValue(double_value=value))
        for hour, value in sorted(values.items(), reverse=True)
    ]
    return [TimeSeries(points=points)] if points else []


def worker_time(lives: WorkerLives) -> Answer:
    """What Cloud Run would bill for the worker's lives, by hour. Nothing else is known here.

    Least of all how many instances there are: the local worker does not go when it is idle, and whoever decides about
    warming it is not to know.
    """

    def answer(request: ListTimeSeriesRequest, _context: grpc.ServicerContext) -> list[TimeSeries]:
        if BILLABLE_TIME not in request.filter:
            return []
        return hourly(seconds_by_hour(lives.known(), request.interval.start_time, request.interval.end_time))

    return answer
