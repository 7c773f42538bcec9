from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from events.envelope import job_event
from events.errors import ForbiddenError, TransientError, UnauthorizedError
from events.messages import WarmupRequested
from gpu_worker.app import WorkerApp
from gpu_worker.mattes import NetworkMattes
from gpu_worker.metrics import WorkerMetrics
from gpu_worker.worker import Worker
from jobs.activity import Activity
from jobs.processing import Processor
from tests.events import load_event
from tests.fakes import FakeEngine
from tests.unit.examples import AT, JOB_ID, MODEL, TENANT, TRACEPARENT
from tests.unit.gpu_worker.client import Client, serving
from tests.unit.scene import BUCKETS, GPU, RECIPES, Scene, photo
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.envelope import Outgoing
    from gpu_worker.app import PushVerifier


class Service:
    """A worker's HTTP app over a `Scene`, with a network that takes no time."""

    def __init__(self, scene: Scene, *, verifier: PushVerifier | None = None, max_pending: int = 8) -> None:
        self.scene = scene
        self.engine = FakeEngine(MODEL)
        self.metrics = WorkerMetrics()
        self.may_start = threading.Event()
        self.may_start.set()
        self.start_error: Exception | None = None
        self.failed_starts: list[str] = []
        self.app = WorkerApp(
            self._start,
            verifier=verifier,
            metrics=self.metrics,
            concurrency=4,
            max_pending=max_pending,
            on_start_failure=lambda: self.failed_starts.append("start"),
        )

    def _start(self) -> Worker:
        assert self.may_start.wait(5)
        if self.start_error is not None:
            raise self.start_error
        scene = self.scene
        mattes = NetworkMattes(self.engine, scene.clock, window=0)
        phases = {"warm_pass": mattes.warm_up()}
        self.metrics.started(phases)
        processor = Processor(scene.desk, mattes, billing=GPU, source="gpu_worker", on_end=self.metrics.job_ended)
        activity = Activity(scene.store, BUCKETS.jobs, scene.clock)
        return Worker(mattes, processor, activity, scene.store, BUCKETS, phases)

    @contextmanager
    def client(self, *, ready: bool = True) -> Iterator[Client]:
        with serving(self.app.asgi()) as client:
            if ready:
                until(lambda: client.get("/health").status_code == httpx.codes.OK)
            yield client

    def metric(self, line: str) -> float:
        """The value of one line of the exposition, 0 if there is none."""
        for text in self.metrics.exposition().decode().splitlines():
            if text.startswith(f"{line} "):
                return float(text.rpartition(" ")[2])
        return 0


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def service(scene: Scene) -> Service:
    return Service(scene)


def push(message: Outgoing, **changes: object) -> dict[str, Any]:
    wrapped = {
        "message": {
            "data": base64.b64encode(message.data.encode()).decode(),
            "attributes": message.attributes,
            "messageId": "1",
            "publishTime": "2026-11-23T12:00:00Z",
        },
        "subscription": "projects/p/subscriptions/jobs-worker",
    }
    return wrapped | changes


def job_push(scene: Scene, data: bytes | None = None, **changes: object) -> dict[str, Any]:
    scene.queued(data)
    return push(scene.publisher.on("jobs")[-1], **changes)


def warmup_push() -> dict[str, Any]:
    event = job_event(
        WarmupRequested(reason="forecast", at=AT),
        tenant=TENANT,
        job_id=JOB_ID,
        part="",
        run=0,
        source="warm",
        time=AT,
        traceparent=TRACEPARENT,
    )
    return push(event.outgoing("warmups"))


def test_a_job_is_acknowledged_once_everything_about_it_is_durable_and_told(scene: Scene, service: Service) -> None:
    with service.client() as client:
        reply = client.post("/jobs", json=job_push(scene))
        assert (reply.status_code, reply.content) == (204, b"")
        assert [result.cache for result in scene.completed(scene.jobs[0]).results] == ["miss", "miss"]


def test_a_push_as_it_was_recorded_is_understood(scene: Scene, service: Service) -> None:
    with service.client() as client:
        assert client.post("/jobs", json=load_event("pubsub_push")["body"]).status_code == 204
    [message] = scene.publisher.on("results")
    assert '"code":"upload_missing"' in message.data


def test_a_job_that_is_delivered_again_is_kept_out_of_batches(scene: Scene, service: Service) -> None:
    """It may be what broke the batch that it was in."""
    busy, again = job_push(scene, photo(0)), job_push(scene, photo(1), deliveryAttempt=2)
    others = [job_push(scene, photo(seed), deliveryAttempt=1) for seed in (2, 3)]
    with service.client() as client, ThreadPoolExecutor(4) as threads:
        service.engine.gate.clear()
        replies = [threads.submit(client.post, "/jobs", json=busy)]
        until(lambda: service.engine.batches == [1, 1])
        for body in (again, *others):
            replies.append(threads.submit(client.post, "/jobs", json=body))
            until(lambda: service.metric("cutout_network_queue") == len(replies) - 1)
        service.engine.gate.set()
        assert [reply.result(5).status_code for reply in replies] == [204] * 4
    assert service.engine.batches == [1, 1, 1, 2]


def test_a_photo_that_can_never_work_is_told_and_acknowledged(scene: Scene, service: Service) -> None:
    body = job_push(scene)
    scene.store.delete(BUCKETS.uploads, scene.jobs[0].stat.name)
    with service.client() as client:
        assert client.post("/jobs", json=body).status_code == 204
    [message] = scene.publisher.on("results")
    assert '"code":"upload_missing"' in message.data
    assert service.metric('cutout_jobs_total{outcome="upload_missing"}') == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[" * 100_000,
        b"{}",
        b'{"message":{"messageId":"1","data":"e30=","attributes":{}}}',
        b'{"message":{"messageId":"1","data":"%%%"}}',
    ],
)
def test_a_push_that_breaks_the_contract_is_refused(service: Service, body: bytes) -> None:
    """Refused, it comes again, and at last lies among the dead letters, where somebody looks."""
    with service.client() as client:
        reply = client.post("/jobs", content=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_message")
    assert service.metric('cutout_pushes_refused_total{code="invalid_message"}') == 1


def test_a_message_of_another_type_is_refused(scene: Scene, service: Service) -> None:
    with service.client() as client:
        assert client.post("/jobs", json=warmup_push()).status_code == 400
        assert client.post("/warmup", json=job_push(scene)).status_code == 400


def test_a_push_larger_than_any_message_is_refused(service: Service) -> None:
    with service.client() as client:
        reply = client.post("/jobs", content=bytes(14_000_001))
    assert reply.status_code == 400
    assert "at most" in reply.json()["error"]["message"]


def test_a_failure_that_may_pass_has_the_message_delivered_again(scene: Scene, service: Service) -> None:
    body = job_push(scene)
    with service.client() as client:
        scene.faults.arm(3, TransientError("storage: no answer"))
        reply = client.post("/jobs", json=body)
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "temporarily_unavailable")
        assert client.post("/jobs", json=body).status_code == 204
    assert scene.completed(scene.jobs[0]).results


def test_a_bug_has_the_message_delivered_again_and_is_logged(
    scene: Scene, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    body = job_push(scene)
    with service.client() as client:
        scene.faults.arm(3, ZeroDivisionError())
        reply = client.post("/jobs", json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "internal")
    assert "push_failed" in caplog.messages
    assert service.metric('cutout_pushes_refused_total{code="internal"}') == 1


def test_more_jobs_than_the_process_may_hold_are_turned_away(scene: Scene) -> None:
    service = Service(scene, max_pending=2)
    bodies = [job_push(scene, photo(seed)) for seed in range(3)]
    with service.client() as client, ThreadPoolExecutor(2) as threads:
        service.engine.gate.clear()
        held = [threads.submit(client.post, "/jobs", json=body) for body in bodies[:2]]
        until(lambda: service.metric("cutout_jobs_in_flight") == 2)
        reply = client.post("/jobs", json=bodies[2])
        assert (reply.status_code, reply.json()["error"]["code"]) == (429, "overloaded")
        service.engine.gate.set()
        assert [reply.result(5).status_code for reply in held] == [204, 204]
        assert client.post("/jobs", json=bodies[2]).status_code == 204


def test_jobs_that_arrive_together_go_through_the_network_together(scene: Scene, service: Service) -> None:
    bodies = [job_push(scene, photo(seed)) for seed in range(4)]
    with service.client() as client, ThreadPoolExecutor(4) as threads:
        service.engine.gate.clear()
        first = threads.submit(client.post, "/jobs", json=bodies[0])
        until(lambda: service.engine.batches == [1, 1])
        others = [threads.submit(client.post, "/jobs", json=body) for body in bodies[1:]]
        until(lambda: service.metric("cutout_network_queue") == 3)
        service.engine.gate.set()
        assert [reply.result(5).status_code for reply in (first, *others)] == [204] * 4
    assert service.engine.batches == [1, 1, 3]
    assert [cost.batch_size for cost in scene.costs(scene.jobs[3])] == [3] * len(RECIPES)


def test_a_warmup_is_acknowledged_and_leaves_a_trace_of_activity(scene: Scene, service: Service) -> None:
    with service.client() as client:
        assert client.post("/warmup", json=warmup_push()).status_code == 204
    assert any(name.startswith("~activity/") for name in scene.store.names(BUCKETS.jobs))


def test_pushes_that_come_during_the_start_wait_for_its_end(scene: Scene, service: Service) -> None:
    """A refusal would cost the job one of its attempts."""
    body = job_push(scene)
    service.may_start.clear()
    with service.client(ready=False) as client, ThreadPoolExecutor(1) as threads:
        early = threads.submit(client.post, "/jobs", json=body)
        until(lambda: service.metric("cutout_jobs_in_flight") == 1)
        assert not early.done()
        service.may_start.set()
        assert early.result(5).status_code == 204


def test_the_process_is_alive_before_it_is_ready(service: Service) -> None:
    service.may_start.clear()
    with service.client(ready=False) as client:
        assert client.get("/livez").json() == {"status": "alive"}
        health = client.get("/health")
        assert (health.status_code, health.json()) == (503, {"status": "starting"})
        service.may_start.set()
        until(lambda: client.get("/health").status_code == httpx.codes.OK)


def test_health_tells_what_runs_where(service: Service) -> None:
    with service.client() as client:
        told = client.get("/health").json()
    assert (told["status"], told["network"], told["model"], told["device"]) == ("ok", "fake", MODEL, "cpu")
    assert told["storage"].startswith("ok, ")
    assert told["free_memory_bytes"] > 0
    assert list(told["cold_start_seconds"]) == ["warm_pass"]


def test_health_tells_a_storage_that_does_not_answer_but_stays_ready(scene: Scene, service: Service) -> None:
    with service.client() as client:
        scene.faults.arm(1, TransientError("no route to host"))
        reply = client.get("/health")
    assert (reply.status_code, reply.json()["storage"]) == (200, "unreachable: no route to host")


def test_a_broken_network_ends_the_worker(scene: Scene, service: Service) -> None:
    """Cloud Run replaces an instance whose liveness probe fails."""
    body = job_push(scene)
    with service.client() as client:
        service.engine.broken = True
        reply = client.post("/jobs", json=body)
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "network_unhealthy")
        assert client.get("/livez").status_code == 503
        assert (client.get("/health").status_code, client.get("/health").json()["status"]) == (503, "unhealthy")


def test_a_start_that_fails_says_so_and_is_never_ready(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.start_error = RuntimeError("told cuda, and none is there")
    with service.client(ready=False) as client:
        until(lambda: service.failed_starts == ["start"])
        assert client.get("/health").status_code == 503
    assert "start_failed" in caplog.messages


class Gatekeeper:
    def verify(self, authorization: str | None) -> None:
        if authorization is None:
            raise UnauthorizedError("the request carries no bearer token")
        if authorization != "Bearer pubsub":
            raise ForbiddenError("the token is not the expected sender's")


@pytest.mark.parametrize("path", ["/jobs", "/warmup"])
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [({}, 401, "unauthorized"), ({"Authorization": "Bearer somebody"}, 403, "forbidden")],
)
def test_a_push_that_is_not_our_subscriptions_is_refused_before_it_is_read(
    scene: Scene, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    service = Service(scene, verifier=Gatekeeper())
    with service.client() as client:
        reply = client.post(path, content=b"not even json", headers=headers)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


def test_a_push_of_our_subscription_is_let_in(scene: Scene) -> None:
    service = Service(scene, verifier=Gatekeeper())
    body = job_push(scene)
    with service.client() as client:
        assert client.post("/jobs", json=body, headers={"Authorization": "Bearer pubsub"}).status_code == 204


def test_the_metrics_tell_jobs_stages_batches_and_cache_answers(scene: Scene, service: Service) -> None:
    bodies = [job_push(scene), job_push(scene)]
    with service.client() as client:
        for body in bodies:
            client.post("/jobs", json=body)
        reply = client.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line, value in {
        'cutout_jobs_total{outcome="completed"}': 2,
        'cutout_cache_answers_total{cache="miss"}': 2,
        'cutout_cache_answers_total{cache="hit"}': 2,
        'cutout_stage_seconds_count{stage="network"}': 1,
        'cutout_stage_seconds_count{stage="queue"}': 2,
        "cutout_batch_size_count": 1,
        "cutout_jobs_in_flight": 0,
        "cutout_network_queue": 0,
    }.items():
        assert service.metric(line) == value, line
    assert service.metric('cutout_cold_start_seconds{phase="warm_pass"}') > 0


def test_jobs_that_waited_for_the_start_are_counted(scene: Scene, service: Service) -> None:
    body = job_push(scene)
    scene.clock.advance(1)
    with service.client() as client:
        client.post("/jobs", json=body)
    assert service.metric("cutout_cold_jobs_total") == 1
    assert scene.completed(scene.jobs[0]).cold_start


@pytest.mark.parametrize(("method", "path"), [("GET", "/jobs"), ("PUT", "/warmup"), ("POST", "/health")])
def test_other_methods_are_refused(service: Service, method: str, path: str) -> None:
    with service.client() as client:
        assert client.request(method, path).status_code == 405


def test_the_worker_is_closed_with_the_app(service: Service) -> None:
    with service.client():
        pass
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "network"])
