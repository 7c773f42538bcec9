from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from cloudevents.http import CloudEvent

from alerts.announcement import Pages
from alerts.receivers import SlackApp, SlackWebhook, Webhook
from alerts.rules import PauseWarming, Rollback
from cloud.environment import SettingsError
from functions.on_alert import AlertSettings, OnAlert
from tests.unit.alerts.office import HOOK, Office, incident

if TYPE_CHECKING:
    from typing import Any


def event_of(body: Any) -> CloudEvent:
    head = {"id": "9", "type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//pubsub"}
    return CloudEvent.create(head, body)


def pushed(data: bytes, message_id: str = "1") -> CloudEvent:
    message = {"data": base64.b64encode(data).decode(), "attributes": {"version": "1.2"}, "messageId": message_id}
    return event_of({"message": message, "subscription": "s"})


class TestTheFunction:
    def test_handles_the_incident_in_a_message(self) -> None:
        office = Office()
        OnAlert(office.desk())(pushed(incident("firing")))
        assert office.poster.to(HOOK)[0]["phase"] == "firing"
        assert office.run.changes == ["r2=100"]

    def test_tells_test_messages_apart_by_the_messages_id(self) -> None:
        office = Office()
        for message_id in ("1", "2", "1"):
            OnAlert(office.desk())(pushed(incident("test_message"), message_id))
        assert len(office.poster.to(HOOK)) == 2

    @pytest.mark.parametrize("body", [{"incident": {}}, ["<!channel>"], {"message": {"data": "!"}}])
    def test_passes_on_what_is_no_message_at_all(self, body: Any) -> None:
        office = Office()
        OnAlert(office.desk())(event_of(body))
        assert json.loads(office.poster.to(HOOK)[0]["text"]) == body


class TestSettings:
    def test_without_any_nobody_is_told_and_nothing_is_done(self) -> None:
        settings = AlertSettings.from_env({})
        assert settings == AlertSettings(receivers=(), rules=(), region="", pages=Pages(), dry_run=False)

    def test_receivers_rules_and_pages_are_json(self) -> None:
        receivers = [
            {"kind": "slack_webhook", "name": "ops", "url": "https://hooks.slack.com/services/T/B/x"},
            {"kind": "slack_app", "name": "app", "token": "xoxb-1", "channel": "C1"},
            {"kind": "webhook", "name": "pager", "url": "https://pager.example/", "token": "t"},
        ]
        rules = [
            {"policy": "p", "action": "rollback", "service": "gpu-worker"},
            {"policy": "q", "action": "pause_warming", "minutes": 60},
        ]
        settings = AlertSettings.from_env(
            {
                "ALERT_RECEIVERS": json.dumps(receivers),
                "ALERT_MITIGATIONS": json.dumps(rules),
                "WORKER_REGION": "europe-west4",
                "ALERT_PAGES": '{"runbook": "https://runbooks.example/"}',
                "ALERT_DRY_RUN": "true",
            }
        )
        assert settings.receivers == (
            SlackWebhook(name="ops", url="https://hooks.slack.com/services/T/B/x"),
            SlackApp(name="app", token="xoxb-1", channel="C1", url="https://slack.com/api"),
            Webhook(name="pager", url="https://pager.example/", token="t"),
        )
        assert settings.rules == (Rollback(policy="p", service="gpu-worker"), PauseWarming(policy="q", minutes=60))
        assert settings.region == "europe-west4"
        assert settings.pages == Pages(runbook="https://runbooks.example/", dashboard="")
        assert settings.dry_run

    @pytest.mark.parametrize(
        "url", ["http://hooks.slack.com/secret", "ftp://x/secret", "https://", "http://localhost.evil.example/secret"]
    )
    def test_a_url_without_tls_is_refused_and_not_shown(self, url: str) -> None:
        receivers = json.dumps([{"kind": "webhook", "name": "a", "url": url}])
        with pytest.raises(SettingsError, match="ALERT_RECEIVERS") as refused:
            AlertSettings.from_env({"ALERT_RECEIVERS": receivers})
        assert "secret" not in str(refused.value)

    def test_two_receivers_of_one_name_are_refused(self) -> None:
        receivers = json.dumps([{"kind": "webhook", "name": "a", "url": f"https://{n}.example/"} for n in "xy"])
        with pytest.raises(SettingsError, match="a name of its own"):
            AlertSettings.from_env({"ALERT_RECEIVERS": receivers})

    @pytest.mark.parametrize(
        "rule",
        [
            {"policy": "p", "action": "rollback", "service": "gpu-worker"},
            {"policy": "p", "action": "cap_instances", "service": "gpu-worker", "instances": 1},
        ],
    )
    def test_a_rule_about_a_service_needs_to_know_where_that_is(self, rule: dict[str, Any]) -> None:
        with pytest.raises(SettingsError) as refused:
            AlertSettings.from_env({"ALERT_MITIGATIONS": json.dumps([rule]), "REGION": "us-central1"})
        assert set(refused.value.variables) == {"WORKER_REGION"}

    def test_every_wrong_variable_is_named(self) -> None:
        environ = {"ALERT_MITIGATIONS": '[{"policy": "p", "action": "explode"}]', "ALERT_DRY_RUN": "maybe"}
        with pytest.raises(SettingsError) as refused:
            AlertSettings.from_env(environ)
        assert set(refused.value.variables) == {"ALERT_MITIGATIONS", "ALERT_DRY_RUN"}
