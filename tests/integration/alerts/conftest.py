from __future__ import annotations

import base64
import json
import socket
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from jobs.desk import utc_now
from jobs.flags import Flags
from local import topology
from local.bridge import bridge
from local.ports import LOOPBACK, free_ports
from local.processes import Program, Supervisor
from local.stack import ROOT
from local.topology import Trigger
from tests.integration.alerts.chat import Chat
from tests.integration.alerts.run_admin import RunAdminServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloud.storage import GoogleObjectStore
    from local.fake_gcs import FakeGcs

QUICK = (timedelta(milliseconds=100), timedelta(seconds=1))
RULES = [
    {"policy": "gpu-worker errors", "action": "rollback", "service": "gpu-worker"},
    {"policy": "render errors", "action": "rollback", "service": "render"},
    {"policy": "daily spend", "action": "pause_warming", "minutes": 30},
    {"policy": "daily spend", "action": "cap_instances", "service": "capped", "instances": 1},
]


@pytest.fixture(scope="package")
def run_admin() -> Iterator[RunAdminServer]:
    with RunAdminServer() as server:
        yield server


@pytest.fixture(scope="package")
def chat() -> Iterator[Chat]:
    with Chat() as server:
        yield server


@pytest.fixture(scope="package")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Those of these tests alone, which end with them."""
    with Supervisor(tmp_path_factory.mktemp("alerts-logs")) as programs:
        yield programs


@pytest.fixture(scope="package")
def start_function(
    programs: Supervisor, storage: FakeGcs, pubsub: str, run_admin: RunAdminServer, chat: Chat
) -> Callable[..., str]:
    """Starts an instance of `on_alert` under functions-framework, as the cloud does. Returns its URL."""

    def start(name: str, **environ: str) -> str:
        (port,) = free_ports(1)

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex((LOOPBACK, port)) == 0

        programs.start(
            Program(
                name=name,
                command=(
                    *(sys.executable, "-m", "functions_framework", "--target", "on_alert"),
                    *("--source", "functions/main.py", "--signature-type", "cloudevent"),
                    *("--host", LOOPBACK, "--port", str(port)),
                ),
                environ={
                    "PYTHONPATH": str(ROOT),
                    "PUBSUB_EMULATOR_HOST": pubsub,
                    "STORAGE_EMULATOR_HOST": storage.url,
                    "RUN_EMULATOR_HOST": run_admin.address,
                    "PROJECT": "cutout-shop",
                    "REGION": "us-central1",
                    "WORKER_REGION": "europe-west4",
                    "UPLOADS_BUCKET": topology.UPLOADS_BUCKET,
                    "MATTES_BUCKET": "mattes",
                    "RESULTS_BUCKET": "results",
                    "JOBS_BUCKET": "jobs",
                    "CONTENT_SECRET": base64.b64encode(b"0" * 32).decode(),
                    "MODEL": "instant-000000000000-fp32-p1",
                    "ALERT_RECEIVERS": chat.settings(),
                    "ALERT_MITIGATIONS": json.dumps(RULES),
                    "ALERT_PAGES": '{"dashboard": "https://dashboards.example/cutout"}',
                    **environ,
                },
                cwd=ROOT,
                ready=listens,
            )
        )
        return f"http://{LOOPBACK}:{port}"

    return start


@pytest.fixture(scope="package")
def instances(
    start_function: Callable[..., str],
    programs: Supervisor,
    project: str,
    pubsub: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, str]:
    """Two instances of the function. Messages of the alerts topic come to the first."""
    first, second = start_function("on-alert-1"), start_function("on-alert-2")
    subscription = topology.Subscription(name="on-alert", topic="alerts", backoff=QUICK, attempts=20)
    topology.declare(project, pubsub, (), (subscription,))
    trigger = Trigger(kind="published", subscription="on-alert", topic="alerts", url=first)
    programs.start(bridge(project, pubsub, [trigger], state=tmp_path_factory.mktemp("alerts")))
    return first, second


@pytest.fixture
def flags(store: GoogleObjectStore) -> Flags:
    """As `warm` reads them."""
    return Flags(store, "jobs", utc_now)
