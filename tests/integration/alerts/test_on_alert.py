"""`on_alert` as it runs in the cloud: messages of the emulator, two instances, Cloud Run over gRPC, real receivers."""

from __future__ import annotations

import base64
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import httpx
import pytest
from google.cloud.run_v2 import ServiceScaling

from tests import asking, events
from tests.events import load_event
from tests.integration.alerts.run_admin import RunAdminServer, target
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloud.pubsub import GooglePublisher
    from jobs.flags import Flags
    from tests.integration.alerts.chat import Chat

ONE_OF_EACH = (1, 1, 1)
INCIDENTS: Final = sorted(
    path.stem.removeprefix("incident_") for path in Path(events.__file__).parent.glob("incident_*.json")
)
PHASES: Final = {"resolved": "resolved", "test_message": "test", "another_version": "unreadable"}
"""Of those that are not firing."""


class Alerts:
    """Recorded incidents as of now, under an id of their own, with `mark` in what they say."""

    def __init__(self, publisher: GooglePublisher) -> None:
        self._publisher = publisher
        self.mark = f"mark-{uuid.uuid4().hex[:12]}"

    def data(self, name: str, **changes: object) -> bytes:
        notification = load_event(f"incident_{name}")
        now = int(time.time())
        own = {
            "incident_id": f"0.{self.mark}",
            "started_at": now - 240,
            "ended_at": now if name == "resolved" else None,
            "condition_name": self.mark,
        }
        if "incident" in notification:
            notification["incident"] |= own | changes
        else:  # another schema, which says what it says somewhere else
            notification["mark"] = self.mark
        return json.dumps(notification).encode()

    def publish(self, name: str, **changes: object) -> None:
        self.publish_raw(self.data(name, **changes))

    def publish_raw(self, data: bytes) -> None:
        self._publisher.publish("alerts", data, {"version": "1.2"})


@pytest.fixture
def alerts(publisher: GooglePublisher, instances: tuple[str, str]) -> Alerts:
    return Alerts(publisher)


@pytest.fixture
def worker(run_admin: RunAdminServer) -> str:
    return run_admin.deploy("gpu-worker", ("r1", True), ("r2", True), ("r3", True), traffic=[target("", 100)])


def traffic(run_admin: RunAdminServer, path: str) -> list[tuple[str, int]]:
    return [(each.revision, each.percent) for each in run_admin.current(path).traffic_statuses]


def push(url: str, data: bytes, message_id: str = "1") -> httpx.Response:
    """A delivery as Eventarc makes it."""
    message = {"data": base64.b64encode(data).decode(), "attributes": {}, "messageId": message_id}
    headers = {
        "ce-specversion": "1.0",
        "ce-id": message_id,
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-source": "//pubsub.googleapis.com/projects/cutout-shop/topics/alerts",
    }
    body = {"message": message, "subscription": "projects/cutout-shop/subscriptions/on-alert"}
    return asking.post(url, headers=headers, json=body)


def deliver_again(url: str, data: bytes) -> None:
    """Until the delivery is acknowledged: nobody else is at it by then, and everything is done."""
    status = until(lambda: push(url, data).status_code, lambda status: status != httpx.codes.INTERNAL_SERVER_ERROR)
    assert status == httpx.codes.OK


def test_a_firing_incident_rolls_back_and_its_message_becomes_resolved(
    alerts: Alerts, chat: Chat, run_admin: RunAdminServer, worker: str
) -> None:
    alerts.publish("firing")
    firing = chat.wait_for(alerts.mark, hooked=1)
    assert traffic(run_admin, worker) == [("r2", 100)]
    assert firing.counts == ONE_OF_EACH
    assert firing.hooked[0]["actions"][0]["text"] == "moved the traffic of gpu-worker from r3 back to r2"
    assert [link["name"] for link in firing.hooked[0]["links"]][:2] == ["Runbook: worker errors", "Dashboard"]
    assert "Firing: gpu-worker errors" in firing.app[0]["text"]
    assert "0.412 (threshold &gt; 0.05)" in firing.app[0]["text"]

    alerts.publish("resolved")
    resolved = chat.wait_for(alerts.mark, hooked=2)
    assert [one["phase"] for one in resolved.hooked] == ["firing", "resolved"]
    assert len({one["key"] for one in resolved.hooked}) == 1
    [message] = resolved.app
    assert "Resolved: gpu-worker errors" in message["text"]
    assert "moved the traffic of gpu-worker from r3 back to r2" in message["text"]
    assert len(resolved.incoming) == 2
    assert traffic(run_admin, worker) == [("r2", 100)]


def test_duplicates_on_two_instances_at_once_are_told_and_done_once(
    alerts: Alerts, chat: Chat, run_admin: RunAdminServer, worker: str, instances: tuple[str, str]
) -> None:
    before = len(run_admin.updates)
    data = alerts.data("firing")
    for _ in range(3):
        alerts.publish_raw(data)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(push, instances[n % 2], data, str(n)) for n in range(16)]
        assert {answer.result().status_code for answer in answers} <= {200, 500}
    deliver_again(instances[1], data)
    assert chat.about(alerts.mark).counts == ONE_OF_EACH
    assert len(run_admin.updates) == before + 1


def test_a_receiver_that_fails_is_told_later_and_nothing_else_happens_twice(
    alerts: Alerts, chat: Chat, run_admin: RunAdminServer, worker: str
) -> None:
    before = len(run_admin.updates)
    chat.refuse("/hook", times=3)
    alerts.publish("firing")
    assert chat.wait_for(alerts.mark, hooked=1).counts == ONE_OF_EACH
    assert chat.refusals["/hook"] == 0
    assert len(run_admin.updates) == before + 1


def test_two_incidents_about_one_bad_revision_go_one_step_back(
    alerts: Alerts, publisher: GooglePublisher, chat: Chat, run_admin: RunAdminServer, worker: str
) -> None:
    alerts.publish("firing")
    chat.wait_for(alerts.mark, hooked=1)
    second = Alerts(publisher)
    second.publish("firing")
    [told] = chat.wait_for(second.mark, hooked=1).hooked
    assert told["actions"][0]["status"] == "unneeded"
    assert "rolled back to r2 already, from r3" in told["actions"][0]["text"]
    assert traffic(run_admin, worker) == [("r2", 100)]


def test_a_spend_alert_pauses_warming_and_limits_instances(
    alerts: Alerts, chat: Chat, run_admin: RunAdminServer, flags: Flags
) -> None:
    path = run_admin.deploy(
        "capped", ("r1", True), traffic=[target("", 100)], scaling=ServiceScaling(max_instance_count=3)
    )
    alerts.publish("firing", policy_name="daily spend")
    [told] = chat.wait_for(alerts.mark, hooked=1).hooked
    assert [action["status"] for action in told["actions"]] == ["done", "done"]
    assert run_admin.current(path).scaling.max_instance_count == 1
    assert flags.up_until("warming-paused") is not None


def test_a_rollback_that_is_refused_is_told_with_the_command_to_do_it_by_hand(
    alerts: Alerts, chat: Chat, run_admin: RunAdminServer
) -> None:
    path = run_admin.deploy("render", ("r1", True), ("r2", True), traffic=[target("r2", 100)])
    run_admin.fail("UpdateService", grpc.StatusCode.PERMISSION_DENIED)
    alerts.publish("firing", policy_name="render errors")
    [told] = chat.wait_for(alerts.mark, hooked=1).hooked
    [action] = told["actions"]
    assert (action["status"], "UpdateService fails as told" in action["text"]) == ("failed", True)
    assert action["command"].startswith("gcloud run services update-traffic render --region=europe-west4")
    assert traffic(run_admin, path) == [("r2", 100)]


def test_a_dry_run_tells_what_it_would_do(
    alerts: Alerts, chat: Chat, run_admin: RunAdminServer, worker: str, start_function: Callable[..., str]
) -> None:
    url = start_function("on-alert-dry", ALERT_DRY_RUN="true")
    assert push(url, alerts.data("firing")).status_code == 200
    [told] = chat.about(alerts.mark).hooked
    assert told["actions"][0]["status"] == "planned"
    assert "would move the traffic of gpu-worker from r3 back to r2" in told["actions"][0]["text"]
    assert traffic(run_admin, worker) == [("", 100)]


@pytest.mark.parametrize("name", INCIDENTS)
def test_every_recorded_incident_is_told_once_to_everyone(alerts: Alerts, chat: Chat, worker: str, name: str) -> None:
    alerts.publish(name, policy_name=f"policy of {alerts.mark}")
    shown = chat.wait_for(alerts.mark, hooked=1)
    assert shown.counts == ONE_OF_EACH
    assert shown.hooked[0]["phase"] == PHASES.get(name, "firing")
    assert "<!channel>" not in json.dumps(shown.app + shown.incoming)


@pytest.mark.parametrize(
    "text", ['{"version": "2.0", "alert": "MARK <!channel>"}', "MARK is on fire", '{"incident": "MARK"']
)
def test_what_cant_be_read_is_told_as_it_is(alerts: Alerts, chat: Chat, instances: tuple[str, str], text: str) -> None:
    raw = text.replace("MARK", alerts.mark)
    alerts.publish_raw(raw.encode())
    deliver_again(instances[1], raw.encode())
    shown = chat.about(alerts.mark)
    assert shown.counts == ONE_OF_EACH
    assert (shown.hooked[0]["phase"], shown.hooked[0]["text"]) == ("unreadable", raw)
    assert "<!channel>" not in shown.app[0]["text"]


def test_tokens_go_only_to_whom_they_belong(alerts: Alerts, chat: Chat) -> None:
    alerts.publish("log_based")
    chat.wait_for(alerts.mark, hooked=1)
    assert set(chat.asked) >= {
        ("/api/chat.postMessage", "Bearer xoxb-1"),
        ("/services/T/B/x", None),
        ("/hook", "Bearer t0ken"),
    }
    assert {token for path, token in chat.asked if path.startswith("/services")} == {None}
