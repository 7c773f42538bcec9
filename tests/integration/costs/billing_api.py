"""Cloud Monitoring's API over real gRPC on this machine: it knows what Cloud Run billed in each hour."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import grpc
from google.cloud.monitoring_v3 import (
    ListTimeSeriesRequest,
    ListTimeSeriesResponse,
    Point,
    TimeInterval,
    TimeSeries,
    TypedValue,
)

from local.ports import LOOPBACK

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType

__all__ = ["BillingApi"]

HOUR = timedelta(hours=1)


class BillingApi:
    """Use as a context manager. `billed` is in seconds by the hour's start; `failures` is how many calls fail first."""

    def __init__(self) -> None:
        self.billed: dict[datetime, float] = {}
        self.failures: list[grpc.StatusCode] = []
        self.asked: list[ListTimeSeriesRequest] = []
        self._server = grpc.server(ThreadPoolExecutor(2))
        self._server.add_generic_rpc_handlers([_handler(self)])
        self.address = f"{LOOPBACK}:{self._server.add_insecure_port(f'{LOOPBACK}:0')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(grace=None).wait()

    def answer(self, request: ListTimeSeriesRequest, context: grpc.ServicerContext) -> ListTimeSeriesResponse:
        self.asked.append(request)
        if self.failures:
            context.abort(self.failures.pop(0), "as told")
        start, end = request.interval.start_time, request.interval.end_time
        points = [
            Point(interval=TimeInterval(start_time=hour, end_time=hour + HOUR), value=TypedValue(double_value=seconds))
            for hour, seconds in sorted(self.billed.items(), reverse=True)
            if start <= hour < end
        ]
        return ListTimeSeriesResponse(time_series=[TimeSeries(points=points)] if points else [])


def _handler(api: BillingApi) -> Any:
    method = grpc.unary_unary_rpc_method_handler(
        api.answer,
        request_deserializer=ListTimeSeriesRequest.deserialize,
        response_serializer=ListTimeSeriesResponse.serialize,
    )
    return grpc.method_handlers_generic_handler("google.monitoring.v3.MetricService", {"ListTimeSeries": method})
