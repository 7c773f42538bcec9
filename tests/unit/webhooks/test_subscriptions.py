from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from cloud.environment import SettingsError
from tests.unit.examples import TENANT
from tests.unit.webhooks.world import receiver, secret
from webhooks.settings import WebhookSettings
from webhooks.subscriptions import Subscriptions

COMPLETED = "cutout.result.completed.v1"
FAILED = "cutout.result.failed.v1"


def given(**changes: Any) -> dict[str, Any]:
    return {"name": "orders", "url": "https://hooks.example/", "secrets": [secret(1)]} | changes


def settings(webhooks: object, **environ: str) -> WebhookSettings:
    return WebhookSettings.from_env({"WEBHOOKS": msgspec.json.encode(webhooks).decode(), **environ})


def test_a_receiver_gets_the_events_that_it_asked_for() -> None:
    both, only = receiver("both"), receiver("only", events=(FAILED,))
    subscriptions = Subscriptions({TENANT: (both, only), "other": (receiver("theirs"),)})
    assert subscriptions.matching(TENANT, COMPLETED) == (both,)
    assert subscriptions.matching(TENANT, FAILED) == (both, only)
    assert subscriptions.matching("nobody", COMPLETED) == ()


def test_a_receiver_is_found_by_name_within_its_tenant() -> None:
    subscriptions = Subscriptions({TENANT: (receiver("orders"),), "other": (receiver("theirs"),)})
    assert subscriptions.find(TENANT, "orders") == receiver("orders")
    assert subscriptions.find(TENANT, "theirs") is None
    assert subscriptions.find("nobody", "orders") is None


def test_settings_have_defaults_for_everything() -> None:
    made = WebhookSettings.from_env({})
    assert made.subscriptions.matching(TENANT, COMPLETED) == ()
    assert (made.loopback, made.timeout) == (False, timedelta(seconds=10))
    assert (made.retries.window, made.lives.link) == (timedelta(hours=24), timedelta(hours=12))


def test_settings_name_the_receivers_of_each_tenant() -> None:
    made = settings({TENANT: [given(), given(name="more", events=[FAILED], secrets=[secret(1), secret(2)])]})
    assert [each.name for each in made.subscriptions.matching(TENANT, FAILED)] == ["orders", "more"]


@pytest.mark.parametrize(
    "webhooks",
    [
        pytest.param([], id="no mapping"),
        pytest.param({"No Tenant": [given()]}, id="tenant"),
        pytest.param({TENANT: given()}, id="no list"),
        pytest.param({TENANT: [given(name="Orders!")]}, id="name"),
        pytest.param({TENANT: [given(), given()]}, id="name twice"),
        pytest.param({TENANT: [given(url="https://topsecret@hooks.example/")]}, id="url"),
        pytest.param({TENANT: [given(url="http://hooks.example/?key=topsecret")]}, id="plain http"),
        pytest.param({TENANT: [given(events=[])]}, id="no events"),
        pytest.param({TENANT: [given(events=["cutout.cost.recorded.v1"])]}, id="unknown event"),
        pytest.param({TENANT: [given(secrets=[])]}, id="no secrets"),
        pytest.param({TENANT: [given(secrets=["whsec_topsecret"])]}, id="short secret"),
        pytest.param({TENANT: [given(secrets=[secret(n) for n in range(5)])]}, id="too many secrets"),
        pytest.param({TENANT: [given(retries=3)]}, id="unknown field"),
        pytest.param({TENANT: [{"name": "orders"}]}, id="missing fields"),
    ],
)
def test_wrong_settings_are_refused_without_being_shown(webhooks: object) -> None:
    with pytest.raises(SettingsError, match="WEBHOOKS") as caught:
        settings(webhooks)
    assert "topsecret" not in str(caught.value)


def test_plain_http_can_be_allowed_for_this_machine() -> None:
    webhooks = {TENANT: [given(url="http://127.0.0.1:8080/")]}
    assert settings(webhooks, WEBHOOK_LOOPBACK="true").loopback


def test_a_receiver_does_not_show_its_url_or_secrets() -> None:
    assert repr(receiver("orders")) == "Receiver('orders')"
