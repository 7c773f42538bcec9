"""A worker's service in a cloud on loopback: Cloud Run and Monitoring over gRPC, Pub/Sub's emulator, a new revision.

Time is made up, and passes only where the rollout waits. Every call can be the last one of the process.
"""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import grpc
from google.api.distribution_pb2 import Distribution
from google.cloud.monitoring_v3 import ListTimeSeriesRequest, Point, TimeSeries, TypedValue
from google.cloud.run_v2 import Container, ContainerPort, EnvVar, RevisionScaling, RevisionTemplate

from rollout.__main__ import PHOTO
from rollout.conductor import Conductor, Pace
from rollout.decision import Criteria
from rollout.lanes import GooglePushLanes
from rollout.measurements import GoogleMeasurements
from rollout.plan import Finished, Order, Refuse
from rollout.record import LAST, UNDER_WAY
from rollout.run_admin import GoogleRunAdmin
from rollout.smoke import PushedJobs, SmokeOptions
from tests.fakes import FakeStore, Faults, SettableClock
from tests.integration.alerts.run_admin import RunAdminServer, target
from tests.integration.rollout.candidate import Candidate
from tests.integration.warming.metric_server import MetricServer
from tests.unit.examples import MODEL
from tests.unit.scene import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from google.cloud.run_v2 import Service

    from jobs.ports import ObjectStat, StoredObject

__all__ = ["IMAGE", "NEW", "OLD", "OLD_IMAGE", "SERVICE", "Traffic", "World"]

SERVICE: Final = "gpu-worker"
OLD: Final = "r1"
NEW: Final = "gpu-worker-00001-new"
OLD_IMAGE: Final = "registry/worker/gpu-worker@sha256:" + "0" * 64
IMAGE: Final = "registry/worker/gpu-worker@sha256:" + "1" * 64
ENVIRONMENT: Final = {
    "PUSH_SENDER": "push-worker@cutout-shop.iam.gserviceaccount.com",
    "PUSH_AUDIENCE": "https://gpu-worker.cutout-shop",
    "UPLOADS_BUCKET": BUCKETS.uploads,
    "JOBS_BUCKET": BUCKETS.jobs,
}
CRITERIA: Final = Criteria(interval=timedelta(minutes=6), deadline=timedelta(minutes=12))
PACE: Final = Pace(start=timedelta(seconds=5), watch=timedelta(minutes=4))
BOUNDS: Final = (500.0, 1000.0, 2000.0, 4000.0, 8000.0, 60000.0)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What Monitoring has of a revision: requests by status, and how long they took."""

    codes: dict[str, int]
    seconds: float = 1.5


HEALTHY: Final = Traffic({"204": 400, "503": 1, "429": 30})


class _Watched(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # grpc ships no types
    """Counts calls. The one at which the process dies is not made, or its answer gets lost."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        with self._faults.operation(details.method.rpartition("/")[2]):
            call = continuation(details, request)
            call.code()
            return call


class _WatchedStore:
    """Likewise for Cloud Storage. How often a job's end is looked for depends on the machine, so it is not counted."""

    def __init__(self, store: FakeStore, faults: Faults) -> None:
        self._store = store
        self._faults = faults
        self.read = store.read
        self.list = store.list
        self.stream = store.stream
        self.delete = store.delete

    def stat(self, bucket: str, name: str) -> ObjectStat | None:
        with self._faults.operation("stat"):
            return self._store.stat(bucket, name)

    def create(self, bucket: str, name: str, data: bytes, **options: Any) -> bool:
        with self._faults.operation("create"):
            return self._store.create(bucket, name, data, **options)

    def peek(self, bucket: str, name: str) -> StoredObject | None:
        return self._store.peek(bucket, name)


class World:
    """Use as a context manager."""

    def __init__(self, pubsub: str, *, healthy: bool = True, traffic: Traffic = HEALTHY, baseline: bool = True) -> None:
        self.faults = Faults()
        self.clock = SettableClock()
        self.said: list[str] = []
        self.store = FakeStore()
        self.traffic = {OLD: HEALTHY, NEW: traffic}
        self.run = RunAdminServer()
        self.run.reads = 1
        self.monitoring = MetricServer()
        self.monitoring.answer = self._series
        self.candidate = Candidate(self.store, self.clock, healthy=healthy)
        self.run.tag_url = self.candidate.url
        self._pubsub = pubsub
        self._project = f"rollout-{uuid.uuid4().hex[:12]}"
        self._exits = ExitStack()
        self.path = self._deploy(baseline=baseline)

    def __enter__(self) -> Self:
        for server in (self.run, self.monitoring, self.candidate):
            self._exits.enter_context(server)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def roll_out(
        self, *, holder: str = "build-1", image: str = IMAGE, jobs: int = 1, **order: Any
    ) -> Finished | Refuse:
        """As a process of its own does it: with connections of its own, and no memory."""
        with ExitStack() as exits:
            conductor = self._conductor(exits, jobs)
            return conductor.carry_out(SERVICE, Order(image=image, holder=holder, **order))

    def end(self, outcome: Literal["promoted", "rolled_back"]) -> Finished | Refuse:
        with ExitStack() as exits:
            return self._conductor(exits, 1).end(SERVICE, outcome, "ann@desk")

    @property
    def service(self) -> Service:
        return self.run.current(self.path)

    def lanes(self) -> tuple[str, ...]:
        """Topics that are left, and subscriptions."""
        lanes = GooglePushLanes.over(grpc.insecure_channel(self._pubsub), project=self._project)
        left = lanes._subscriber.list_subscriptions(project=f"projects/{self._project}")
        names = (*lanes.names(""), *(each.name for each in left))
        lanes.disconnect()
        return names

    def leave_a_lane(self, name: str) -> None:
        lanes = GooglePushLanes.over(grpc.insecure_channel(self._pubsub), project=self._project)
        lanes.open(name, endpoint=f"{self.candidate.url}/jobs", account="push@x", audience="https://x")
        lanes.disconnect()

    def state(self) -> dict[str, Any]:
        """Everything of the service that must be the same however often a rollout was interrupted."""
        service = self.service
        return {
            "traffic": [(each.revision, each.percent, each.tag) for each in service.traffic],
            "limit": service.scaling.max_instance_count,
            "under way": service.annotations.get(UNDER_WAY),
            "ended": LAST in service.annotations,
            "others": {key: text for key, text in service.annotations.items() if key not in {LAST, UNDER_WAY}},
            "revisions": [each.name.rpartition("/")[2] for each in self.run.revisions(self.path)],
            "lanes": self.lanes(),
        }

    def _deploy(self, *, baseline: bool) -> str:
        container = Container(
            image=OLD_IMAGE,
            ports=[ContainerPort(container_port=8080)],
            env=[EnvVar(name=name, value=value) for name, value in ENVIRONMENT.items()],
        )
        path = self.run.deploy(
            SERVICE,
            (OLD, True),
            traffic=[target("", 100)],
            annotations={"owner": "shop"},
            template=RevisionTemplate(containers=[container], scaling=RevisionScaling(max_instance_count=3)),
        )
        if not baseline:
            self.run.lose_revisions(path)
        return path

    def _conductor(self, exits: ExitStack, jobs: int) -> Conductor:
        project, region = "cutout-shop", "europe-west4"
        run = GoogleRunAdmin.over(self._channel(exits, self.run.address), project=project, region=region)
        monitoring = self._channel(exits, self.monitoring.address)
        measurements = GoogleMeasurements.over(monitoring, project=project, region=region)
        lanes = GooglePushLanes.over(self._channel(exits, self._pubsub), project=self._project)
        smoke = PushedJobs(
            _WatchedStore(self.store, self.faults),
            lanes,
            SmokeOptions(photo=PHOTO.read_bytes(), jobs=jobs, model=MODEL, patience=timedelta(minutes=3)),
            region=region,
            clock=self.clock,
            sleep=self._pass,
        )
        return Conductor(
            run,
            smoke,
            measurements,
            criteria=CRITERIA,
            clock=self.clock,
            sleep=self._pass,
            say=self.said.append,
            pace=PACE,
        )

    def _channel(self, exits: ExitStack, address: str) -> grpc.Channel:
        channel = grpc.insecure_channel(address)
        exits.callback(channel.close)
        return grpc.intercept_channel(channel, _Watched(self.faults))

    def _pass(self, span: timedelta) -> None:
        """The emulator's time is real: it is given a little of it."""
        time.sleep(0.01)
        self.clock.sleep(span.total_seconds())

    def _series(self, request: ListTimeSeriesRequest) -> list[TimeSeries]:
        traffic = next(
            traffic for name, traffic in self.traffic.items() if f'revision_name = "{name}"' in request.filter
        )
        if "request_count" in request.filter:
            return [
                TimeSeries(
                    metric={"labels": {"response_code": code}}, points=[Point(value=TypedValue(int64_value=count))]
                )
                for code, count in traffic.codes.items()
            ]
        counts = [0] * (len(BOUNDS) + 1)
        counts[sum(bound <= traffic.seconds * 1000 for bound in BOUNDS)] = traffic.codes.get("204", 0)
        distribution = Distribution(
            bucket_counts=counts, bucket_options={"explicit_buckets": {"bounds": BOUNDS}}, count=sum(counts)
        )
        return [TimeSeries(points=[Point(value=TypedValue(distribution_value=distribution))])]
