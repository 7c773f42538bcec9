"""Cloud Monitoring's API over real gRPC on this machine: it knows what Cloud Run billed in each hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.monitoring import MonitoringApi, hourly

if TYPE_CHECKING:
    from datetime import datetime

    import grpc
    from google.cloud.monitoring_v3 import ListTimeSeriesRequest, TimeSeries

__all__ = ["BillingApi"]


class BillingApi(MonitoringApi):
    """`billed` is in seconds by the hour's start; `failures` is how many calls fail first."""

    def __init__(self) -> None:
        super().__init__(self._billing)
        self.billed: dict[datetime, float] = {}
        self.failures: list[grpc.StatusCode] = []
        self.asked: list[ListTimeSeriesRequest] = []

    def _billing(self, request: ListTimeSeriesRequest, context: grpc.ServicerContext) -> list[TimeSeries]:
        self.asked.append(request)
        if self.failures:
            context.abort(self.failures.pop(0), "as told")
        start, end = request.interval.start_time, request.interval.end_time
        return hourly({hour: seconds for hour, seconds in self.billed.items() if start <= hour < end})
