"""Cloud Monitoring's metric API on loopback, over real gRPC, with the client's own types."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self

import grpc
from google.cloud.monitoring_v3 import ListTimeSeriesRequest, ListTimeSeriesResponse, Point, TimeInterval, TimeSeries
from google.cloud.monitoring_v3 import TypedValue as Value

from local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from types import TracebackType

__all__ = ["MetricServer"]

_METHOD: Final = "ListTimeSeries"
_SERVICE: Final = "google.monitoring.v3.MetricService"


class MetricServer:
    """Use as a context manager. Answers every request with `points`, or with `status` where that is not OK.

    `answer`, where it is set, gives the series for each request instead.
    """

    def __init__(self) -> None:
        self.points: list[tuple[datetime, int]] = []
        self.answer: Callable[[ListTimeSeriesRequest], list[TimeSeries]] | None = None
        self.status = grpc.StatusCode.OK
        self.requests: list[ListTimeSeriesRequest] = []
        self._server = grpc.server(ThreadPoolExecutor(2))
        handler = grpc.unary_unary_rpc_method_handler(
            self._list,
            request_deserializer=ListTimeSeriesRequest.deserialize,
            response_serializer=ListTimeSeriesResponse.serialize,
        )
        generic = grpc.method_handlers_generic_handler(_SERVICE, {_METHOD: handler})
        self._server.add_generic_rpc_handlers((generic,))
        self.address = f"{LOOPBACK}:{self._server.add_insecure_port(f'{LOOPBACK}:0')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(None).wait()

    def _list(self, request: ListTimeSeriesRequest, context: grpc.ServicerContext) -> ListTimeSeriesResponse:
        self.requests.append(request)
        if self.status is not grpc.StatusCode.OK:
            context.abort(self.status, "told to fail")
        if self.answer is not None:
            return ListTimeSeriesResponse(time_series=self.answer(request))
        points = [
            Point(interval=TimeInterval(start_time=at, end_time=at), value=Value(int64_value=value))
            for at, value in self.points
        ]
        return ListTimeSeriesResponse(time_series=[TimeSeries(points=points)] if points else [])
