"""The whole system on this machine: real servers, started in order, stopped in reverse."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

import msgspec

from cloud.bigquery import bigquery_client
from cloud.pubsub import GooglePublisher
from cloud.storage import GoogleObjectStore
from functions.rate_limit_settings import DEFAULT_LIMITS
from gpu_worker.engines import model_id
from gpu_worker.weights import find_weights
from jobs.desk import utc_now
from jobs.places import Buckets
from local import topology
from local.assets import keep
from local.bigquery import BigQueryEmulator, create_cost_table
from local.bridge import bridge
from local.fake_gcs import FakeGcs, create_buckets
from local.instant_worker import MODEL as INSTANT_MODEL
from local.lives import WorkerLives
from local.monitoring import MonitoringApi, worker_time
from local.ports import LOOPBACK, free_ports
from local.processes import Process, Program, Supervisor, http_answers
from local.pubsub_emulator import pubsub_emulator
from local.recovery import recover
from local.signing_key import ensure_signing_key
from local.ticker import Tick, ticker
from local.worker_process import WORKER_PROCESS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from types import TracebackType

    from gpu_worker.engines.models import Backend
    from gpu_worker.weights import Precision

__all__ = ["Network", "Secrets", "Stack", "StackInfo"]

ROOT: Final = Path(__file__).parent.parent
PROJECT: Final = "cutout-local"
REGION: Final = "local"
DATASET: Final = "cutout"
_BACKGROUND: Final = ROOT / "assets" / "photos" / "temple.jpg"

_QUICK: Final = (timedelta(milliseconds=100), timedelta(seconds=1))
_SERVICE: Final = "gpu-worker"
_SWEEP_SECONDS: Final = 1.0
"""At least, between two sweeps: five a second took a quarter of a core of a system that had nothing to do."""
_RECONCILE_SECONDS: Final = 600.0
"""An hour is reconciled once it is over: in the cloud once an hour, here soon after the start as well."""
_PRECOMPUTE_SECONDS: Final = 3600.0
"""In the cloud every night, at which few machines like this one are on. What is there already is left alone."""
_INSTANCE: Final = {"INSTANCE_VCPUS": str(os.cpu_count() or 1), "INSTANCE_GIB": "8", "INSTANCE_GPUS": "0"}
_ONE_CALLER: Final = {"address": "100000/minute", "tenant": "100000/minute"}
"""Everybody has the same address here: demo, tests and benchmarks must not be held up."""
_TELEMETRY: Final = frozenset(
    {"TRACES", "METRICS", "TRACES_SAMPLE_RATIO", "OTEL_EXPORTER_OTLP_ENDPOINT", "METRICS_INTERVAL_SECONDS"}
)


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """Made once a state folder, so that what was stored is found again. Keys of the two local storefronts."""

    content: str
    api_key: str
    other_api_key: str

    @classmethod
    def ensure(cls, path: Path) -> Self:
        """Those in `path`, or new ones written there."""
        if path.exists():
            return msgspec.json.decode(path.read_bytes(), type=cls)
        made = cls(
            content=base64.b64encode(secrets.token_bytes(32)).decode(),
            api_key=f"demo-{secrets.token_urlsafe(24)}",
            other_api_key=f"other-{secrets.token_urlsafe(24)}",
        )
        unfinished = path.with_suffix(".tmp")
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(msgspec.json.encode(made))
        unfinished.replace(path)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Which worker runs, with what model."""

    name: str
    model: str
    module: str
    weights: Path | None
    precision: Precision = "f32"
    backend: Backend = "torch"
    device: str = "cpu"

    @classmethod
    def from_weights(
        cls, explicit: Path | None = None, precision: Precision = "f32", backend: Backend = "torch"
    ) -> Self:
        """Raises `WeightsError` where there are none, or not those that were asked for, and `EngineUnavailableError`
        where they can't compute in `precision`.
        """
        weights = find_weights(explicit, ROOT / "weights", ROOT / "weights", precision=precision)
        return cls(
            name=weights.name,
            model=model_id(weights, precision, backend),
            module="gpu_worker",
            weights=weights.path,
            precision=precision,
            backend=backend,
        )

    @classmethod
    def instant(cls, module: str = "local.instant_worker") -> Self:
        """A network that takes no time."""
        return cls(name="instant", model=INSTANT_MODEL, module=module, weights=None)


class StackInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a running stack; `python -m local up` writes it where the other commands look."""

    pid: int
    project: str
    api_url: str
    worker_url: str
    storage_url: str
    bigquery_url: str
    pubsub: str
    page_url: str
    api_key: str
    network: str
    model: str


class Stack:
    """Use as a context manager. `state` holds objects, keys and logs; it may be used again by a later stack.

    `settings` are variables of the functions, besides those of the stack or in their place; the worker gets those of
    traces and metrics too.
    """

    tenant: Final = topology.TENANT
    other_tenant: Final = "other"
    project: Final = PROJECT

    def __init__(
        self,
        state: Path,
        network: Network,
        *,
        backoff: tuple[timedelta, timedelta] = topology.BACKOFF,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.state = state
        self.buckets = Buckets(
            uploads=topology.UPLOADS_BUCKET,
            mattes="mattes",
            results="results",
            jobs="jobs",
            assets=topology.ASSETS_BUCKET,
        )
        self._network = network
        self._backoff = backoff
        self._settings = settings
        self._stack = ExitStack()
        self._worker: Process | None = None

    @classmethod
    def instant(cls, state: Path, settings: Mapping[str, str] = MappingProxyType({})) -> Self:
        """For tests and benchmarks of everything around the network."""
        return cls(state, Network.instant(), backoff=_QUICK, settings=settings)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def network(self) -> str:
        return self._network.name

    @property
    def model(self) -> str:
        return self._network.model

    @property
    def device(self) -> str:
        return self._network.device

    @property
    def info(self) -> StackInfo:
        return StackInfo(
            pid=os.getpid(),
            project=self.project,
            api_url=self.api_url,
            worker_url=self.worker_url,
            storage_url=self.storage_url,
            bigquery_url=self.bigquery_url,
            pubsub=self.pubsub,
            page_url=self.page_url,
            api_key=self.api_key,
            network=self.network,
            model=self.model,
        )

    def start_worker(self) -> None:
        """Start the worker on its port and wait until it is warm."""
        start = utc_now()
        self._begin(self._supervisor.start(self._worker_program()), start)

    def stop_worker(self) -> None:
        """Its subscription then waits, as it does for an instance that has to start."""
        if self._worker is not None:
            self._supervisor.stop(self._worker)
            self._worker = None

    def start_page(self) -> None:
        """Start the demo shop at `page_url`, with a background of its own."""
        keep(self.store, self.buckets.assets, self.tenant, _BACKGROUND.read_bytes())
        self._supervisor.start(self._page_program())

    def worker_environ(self) -> dict[str, str]:
        """The worker's settings, for tests that start one of their own on the worker's port."""
        return {
            **self._common_environ(),
            **WORKER_PROCESS,
            "HOST": LOOPBACK,
            "PORT": self.worker_url.rpartition(":")[2],
            "DEVICE": self._network.device,
            "WEIGHTS": str(self._network.weights or ""),
            "PRECISION": self._network.precision,
            "BACKEND": self._network.backend,
            "CONCURRENCY": "2",
            **_INSTANCE,
            **{name: value for name, value in self._settings.items() if name in _TELEMETRY},
        }

    def check(self) -> None:
        """Raises `ProcessError` naming a server that died."""
        self._supervisor.check()

    def _start(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        keys = Secrets.ensure(self.state / "secrets.json")
        self._keys = keys
        self.api_key, self.other_api_key = keys.api_key, keys.other_api_key
        self._supervisor = self._stack.enter_context(Supervisor(self.state / "logs"))
        pubsub, storage, worker, api, events, bigquery, page = free_ports(7)
        self.pubsub = os.environ.get("PUBSUB_EMULATOR_HOST") or f"{LOOPBACK}:{pubsub}"
        self.worker_url, self.api_url, self.events_url = (f"http://{LOOPBACK}:{port}" for port in (worker, api, events))
        self.page_url = f"http://{LOOPBACK}:{page}"
        warehouse = BigQueryEmulator(port=bigquery, data=self.state / "bigquery", project=self.project)
        self.bigquery_url = warehouse.url
        starting = [self._supervisor.launch(warehouse.program())]
        if "PUBSUB_EMULATOR_HOST" not in os.environ:
            self._supervisor.start(pubsub_emulator(os.environ, pubsub))
        self._start_storage(storage)
        self._publisher = GooglePublisher.connect(project=self.project, emulator=self.pubsub)
        self._lives = self._stack.enter_context(WorkerLives(self.state / "worker-lives"))
        self._monitoring = self._stack.enter_context(MonitoringApi(worker_time(self._lives)))
        starting += [
            self._supervisor.launch(program)
            for program in (self._functions_program("api", api), self._functions_program("events", events))
        ]
        worker_process = self._supervisor.launch(self._worker_program())
        self._begin(worker_process, utc_now())
        for process in (*starting, worker_process):
            process.wait_until_ready()
        self._create_cost_table()
        triggers = topology.triggers(events_url=self.events_url)
        self._supervisor.start(bridge(self.project, self.pubsub, triggers, state=self.state))
        self._supervisor.start(ticker(self._ticks()))
        recover(self.store, self._publisher, self.buckets)

    def _start_storage(self, port: int) -> None:
        """The topics first: fake-gcs-server loses the events of a topic that is not there."""
        declared = topology.subscriptions(worker_url=self.worker_url, backoff=self._backoff)
        topology.declare(self.project, self.pubsub, topology.TOPICS, declared)
        objects = self.state / "objects"
        objects.mkdir(exist_ok=True)
        server = FakeGcs(
            port=port,
            objects=objects,
            pubsub=self.pubsub,
            project=self.project,
            events_bucket=topology.UPLOADS_BUCKET,
            events_topic=topology.UPLOADS_TOPIC,
        )
        self._supervisor.start(server.program())
        self.storage_url = server.url
        create_buckets(server.url, self.project, topology.BUCKETS)
        self.store = GoogleObjectStore.connect(endpoint=server.url)

    def _begin(self, worker: Process, start: datetime) -> None:
        self._worker = worker
        self._lives.begin(start, lambda: worker.exit_code is None)

    def _ticks(self) -> list[Tick]:
        return [
            Tick(max(_SWEEP_SECONDS, 2 * self._backoff[0].total_seconds()), f"{self.events_url}/sweep_deliveries"),
            Tick(_RECONCILE_SECONDS, f"{self.events_url}/reconcile_idle"),
            Tick(_PRECOMPUTE_SECONDS, f"{self.events_url}/precompute"),
            self._warming_tick(),
        ]

    def _warming_tick(self) -> Tick:
        """Cloud Scheduler publishes a message with nothing but an attribute."""
        url = f"http://{self.pubsub}/v1/projects/{self.project}/topics/ticks:publish"
        return Tick(
            float(self._settings.get("WARMING_TICK_SECONDS", "60")),
            url,
            '{"messages":[{"attributes":{"tick":"warm"}}]}',
        )

    def _create_cost_table(self) -> None:
        with bigquery_client(project=self.project, emulator=self.bigquery_url) as client:
            create_cost_table(client, DATASET)

    def _worker_program(self) -> Program:
        return Program(
            name="worker",
            command=(sys.executable, "-m", self._network.module),
            environ=self.worker_environ(),
            cwd=ROOT,
            ready=http_answers(f"{self.worker_url}/health"),
            ready_seconds=120.0,
        )

    def _page_program(self) -> Program:
        return Program(
            name="page",
            command=(sys.executable, "-m", "local.page", "--port", self.page_url.rpartition(":")[2]),
            environ={
                **self._common_environ(),
                "TENANT": self.tenant,
                "API_URL": self.api_url,
                "API_KEY": self.api_key,
                "STORAGE_URL": self.storage_url,
            },
            cwd=ROOT,
            ready=http_answers(f"{self.page_url}/healthz"),
        )

    def _functions_program(self, name: str, port: int) -> Program:
        command = (sys.executable, "-m", "gunicorn", "--bind", f"{LOOPBACK}:{port}", "--worker-class", "gthread")
        return Program(
            name=f"functions-{name}",
            command=(*command, "--threads", "16", "--graceful-timeout", "5", f"local.gateway:{name}()"),
            environ=self._functions_environ(),
            cwd=ROOT,
            ready=http_answers(f"http://{LOOPBACK}:{port}/healthz"),
            ready_seconds=60.0,
        )

    def _common_environ(self) -> dict[str, str]:
        return {
            "PYTHONPATH": str(ROOT),
            "PUBSUB_EMULATOR_HOST": self.pubsub,
            "STORAGE_EMULATOR_HOST": self.storage_url,
            "PROJECT": self.project,
            "REGION": REGION,
            "UPLOADS_BUCKET": self.buckets.uploads,
            "MATTES_BUCKET": self.buckets.mattes,
            "RESULTS_BUCKET": self.buckets.results,
            "JOBS_BUCKET": self.buckets.jobs,
            "ASSETS_BUCKET": self.buckets.assets,
            "DEAD_LETTERS_BUCKET": topology.DEAD_LETTERS_BUCKET,
            "CONTENT_SECRET": self._keys.content,
            "LOG_FORMAT": "json",
        }

    def _functions_environ(self) -> dict[str, str]:
        tenants = [
            {"name": name, "key_sha256": [_sha256(key)], "origins": [self.api_url, self.page_url], "daily_cap_usd": "5"}
            for name, key in ((self.tenant, self.api_key), (self.other_tenant, self.other_api_key))
        ]
        return {
            **self._common_environ(),
            "MODEL": self.model,
            "TENANTS": msgspec.json.encode(tenants).decode(),
            "PUBLIC_URL": self.api_url,
            "SIGNING_KEY_FILE": str(ensure_signing_key(self.state / "signing-key.json", self.project)),
            "STORAGE_URL": self.storage_url,
            "BIGQUERY_EMULATOR_HOST": self.bigquery_url,
            "DATASET": DATASET,
            "MONITORING_EMULATOR_HOST": self._monitoring.address,
            "WORKER_SERVICE": _SERVICE,
            "WORKER_REGION": REGION,
            "WORKER_REGIONS": REGION,
            **_INSTANCE,
            "WEBHOOK_LOOPBACK": "true",
            "WEBHOOK_FIRST_PAUSE_SECONDS": str(self._backoff[0].total_seconds()),
            "BREAKER_PAUSE_SECONDS": "1",
            "RATE_LIMITS": msgspec.json.encode(dict.fromkeys(DEFAULT_LIMITS, _ONE_CALLER)).decode(),
            **self._settings,
        }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
