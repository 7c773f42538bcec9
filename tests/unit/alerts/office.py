"""An alert desk for one test, with everybody around it faked."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from alerts.announcement import Pages
from alerts.desk import AlertDesk
from alerts.mitigator import Mitigator
from alerts.ports import Answer, Revision, RunService, Target
from alerts.receivers import Messenger, SlackApp, SlackWebhook, Webhook
from alerts.rules import CapInstances, PauseWarming, Rollback
from cloud.breaker import Breakers
from events.errors import ConflictError
from jobs.claims import Claims
from jobs.flags import Flags
from tests.events import load_event
from tests.fakes import FakeStore, Faults, SettableClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from alerts.receivers import Receiver
    from alerts.rules import Rule
    from cloud.deadline import Deadline

__all__ = [
    "APP",
    "BORN",
    "BUCKET",
    "CHAT",
    "HOOK",
    "POLICY",
    "FakePoster",
    "FakeRun",
    "Office",
    "incident",
    "service_with",
]

POLICY: Final = "gpu-worker errors"
BUCKET: Final = "j-cutout"
CHAT: Final = SlackWebhook(name="chat", url="https://hooks.slack.example/T/B/secret")
APP: Final = SlackApp(name="app", token="xoxb-1", channel="C1", url="https://slack.example/api")
HOOK: Final = Webhook(name="hook", url="https://ops.example/alerts", token="t0ken")
BORN: Final = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def incident(name: str, **changes: object) -> bytes:
    """A recorded notification as a message's data, with some fields of its incident changed."""
    notification = load_event(f"incident_{name}")
    if changes:
        notification["incident"] |= changes
    return json.dumps(notification).encode()


def service_with(
    traffic: Sequence[Target],
    annotations: Mapping[str, str] | None = None,
    *,
    max_instances: int = 0,
    max_instances_of_revision: int = 0,
) -> RunService:
    return RunService(
        name="gpu-worker",
        etag="1",
        traffic=tuple(traffic),
        annotations=annotations or {},
        max_instances=max_instances,
        max_instances_of_revision=max_instances_of_revision,
    )


class FakeRun:
    """`alerts.ports.RunAdmin` of one service with the revisions r1, r2, r3, the last of which has all traffic.

    `before_change` is called before every change, and may raise.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.state = service_with([Target("r3", 100)], max_instances=3)
        self.known = tuple(Revision(f"r{n}", BORN + timedelta(days=n), ready=True) for n in (1, 2, 3))
        self.changes: list[str] = []
        self.limits: list[Deadline] = []
        self.settles = True
        self.before_change: Callable[[], object] = lambda: None

    def within(self, limit: Deadline) -> FakeRun:
        self.limits.append(limit)
        return self

    def service(self, name: str) -> RunService:
        with self._faults.operation(f"run read {name}"):
            return self.state

    def revisions(self, name: str) -> tuple[Revision, ...]:
        with self._faults.operation(f"run list {name}"):
            return self.known

    def set_traffic(self, service: RunService, traffic: tuple[Target, ...], annotations: Mapping[str, str]) -> bool:
        with self._faults.operation("run traffic"):
            self._change(service, f"{traffic[0].revision}={traffic[0].percent}")
            self.state = self.state._replace(traffic=traffic, annotations=annotations)
        return self.settles

    def set_max_instances(self, service: RunService, instances: int) -> bool:
        with self._faults.operation("run limit"):
            self._change(service, f"max={instances}")
            self.state = self.state._replace(max_instances=instances)
        return self.settles

    def touch(self) -> None:
        """Somebody else changes the service."""
        self.state = self.state._replace(etag=f"{self.state.etag}+")

    def _change(self, service: RunService, what: str) -> None:
        self.before_change()
        if service.etag != self.state.etag:
            raise ConflictError("changed meanwhile")
        self.touch()
        self.changes.append(what)


class FakePoster:
    """`alerts.ports.Poster` that keeps what it is given, and answers as told, by URL. Thread-safe."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._lock = threading.Lock()
        self.posted: list[tuple[str, dict[str, Any], Mapping[str, str]]] = []
        self.answers: dict[str, Callable[[], Answer]] = {}

    def post(self, url: str, data: bytes, headers: Mapping[str, str]) -> Answer:
        with self._faults.operation(f"post {url}"):
            answer = self.answers.get(url, self._good(url))()
            with self._lock:
                if answer.status == 200:
                    self.posted.append((url, msgspec.json.decode(data), headers))
        return answer

    def to(self, receiver: Receiver) -> list[dict[str, Any]]:
        """What that receiver took, in order."""
        return [message for url, message, _ in self.posted if url.startswith(receiver.url)]

    def calls(self) -> list[str]:
        """The last part of every URL that was called with success."""
        return [url.rpartition("/")[2] for url, _, _ in self.posted]

    @staticmethod
    def _good(url: str) -> Callable[[], Answer]:
        slack = url.startswith(APP.url)
        return lambda: Answer(200, b'{"ok":true,"channel":"C1","ts":"1795.1"}' if slack else b"ok")


class Office:
    """`desk()` is the function as a fresh process has it."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.store = FakeStore(self.faults)
        self.clock = SettableClock()
        self.run = FakeRun(self.faults)
        self.poster = FakePoster(self.faults)
        self.flags = Flags(self.store, BUCKET, self.clock)
        self.receivers: tuple[Receiver, ...] = (APP, HOOK)
        self.rules: tuple[Rule, ...] = (
            Rollback(policy=POLICY, service="gpu-worker"),
            PauseWarming(policy="daily spend", minutes=90),
            CapInstances(policy="daily spend", service="gpu-worker", instances=1),
        )
        self.dry_run = False
        self.breakers = Breakers(clock=lambda: self.clock().timestamp())

    def mitigator(self) -> Mitigator:
        return Mitigator(lambda: self.run, self.flags, self.clock, region="europe-west4", dry_run=self.dry_run)

    def desk(self) -> AlertDesk:
        return AlertDesk(
            self.store,
            BUCKET,
            self.clock,
            Claims(self.store, BUCKET, self.clock),
            self.mitigator(),
            Messenger(self.poster, self.breakers),
            receivers=self.receivers,
            rules=self.rules,
            pages=Pages(runbook="https://runbooks.example/", dashboard="https://dashboards.example/cutout"),
        )

    def alert(self, name: str, *, message_id: str = "1", **changes: object) -> None:
        self.desk().handle(incident(name, **changes), message_id=message_id)

    def left_claims(self) -> list[str]:
        return [name for name in self.store.names(BUCKET) if name.startswith("~claims/")]
