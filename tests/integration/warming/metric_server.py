"""Cloud Monitoring's metric API on loopback, over real gRPC, with the client's own types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from google.cloud.monitoring_v3 import Point, TimeInterval, TimeSeries
from google.cloud.monitoring_v3 import TypedValue as Value

from local.monitoring import MonitoringApi

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from google.cloud.monitoring_v3 import ListTimeSeriesRequest

__all__ = ["MetricServer"]


class MetricServer(MonitoringApi):
    """Answers every request with `points`, or with `status` where that is not OK.

    `answer`, where it is set, gives the series for each request instead.
    """

    def __init__(self) -> None:
        super().__init__(self._series)
        self.points: list[tuple[datetime, int]] = []
        self.answer: Callable[[ListTimeSeriesRequest], list[TimeSeries]] | None = None
        self.status = grpc.StatusCode.OK
        self.requests: list[ListTimeSeriesRequest] = []

    def _series(self, request: ListTimeSeriesRequest, context: grpc.ServicerContext) -> list[TimeSeries]:
        self.requests.append(request)
        if self.status is not grpc.StatusCode.OK:
            context.abort(self.status, "told to fail")
        if self.answer is not None:
            return self.answer(request)
        points = [
            Point(interval=TimeInterval(start_time=at, end_time=at), value=Value(int64_value=value))
            for at, value in self.points
        ]
        return [TimeSeries(points=points)] if points else []
