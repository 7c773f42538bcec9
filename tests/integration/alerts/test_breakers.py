"""Google's APIs that keep failing are left alone: seen from the servers, over real gRPC."""

from __future__ import annotations

from datetime import UTC, datetime

import grpc
import pytest

from cloud.breaker import BreakerPolicy, Breakers, CircuitOpenError
from cloud.monitoring import GoogleBillableTime, GoogleInstanceCount
from cloud.run import GoogleRunAdmin
from events.errors import NotFoundError, TransientError
from tests.integration.alerts.run_admin import RunAdminServer
from tests.integration.warming.metric_server import MetricServer

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_monitoring_has_one_circuit_for_all_that_is_read_of_it() -> None:
    clock = Clock()
    breakers = Breakers(BreakerPolicy(failures=2, pause=30.0), clock=clock)
    with MetricServer() as server:
        count = GoogleInstanceCount.connect(
            project="p", region="r", service="s", clock=lambda: NOW, emulator=server.address, breakers=breakers
        )
        billed = GoogleBillableTime.connect(project="p", region="r", emulator=server.address, breakers=breakers)
        server.status = grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(TransientError, match="told to fail"):
            count.observed()
        with pytest.raises(TransientError, match="told to fail"):
            billed.by_hour("s", NOW, NOW)
        for read in (count.observed, lambda: billed.by_hour("s", NOW, NOW)):
            with pytest.raises(CircuitOpenError, match="monitoring"):
                read()
        assert len(server.requests) == 2
        server.status = grpc.StatusCode.OK
        clock.now += 30
        assert count.observed() is None
        assert billed.by_hour("s", NOW, NOW) == {}
        assert breakers.states() == {"monitoring": "closed"}
        count.close()
        billed.close()


def test_the_run_admin_api_is_left_alone_for_failures_but_not_for_refusals() -> None:
    clock = Clock()
    breakers = Breakers(BreakerPolicy(failures=2, pause=30.0), clock=clock)
    with RunAdminServer() as server:
        run = GoogleRunAdmin.connect(project="p", region="r", emulator=server.address, deadline=2, breakers=breakers)
        for _ in range(3):
            with pytest.raises(NotFoundError):
                run.service("gpu-worker")
        assert breakers.states() == {"run-admin": "closed"}
        server.fail("GetService", *[grpc.StatusCode.RESOURCE_EXHAUSTED] * 2)
        for _ in range(2):
            with pytest.raises(TransientError, match="can't read gpu-worker"):
                run.service("gpu-worker")
        with pytest.raises(CircuitOpenError, match="run-admin"):
            run.service("gpu-worker")
        clock.now += 30
        with pytest.raises(NotFoundError):
            run.service("gpu-worker")
        assert breakers.states() == {"run-admin": "closed"}
        run.close()
