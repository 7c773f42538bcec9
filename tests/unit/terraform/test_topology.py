"""The cloud has the topics and subscriptions of the local stack, with the cloud's pauses."""

from __future__ import annotations

from typing import Any, Final

import pytest

from functions import request_upload
from functions.main import FUNCTIONS
from local import gateway, topology
from tests.unit.terraform.module import local_values

LOCAL: Final = {subscription.name: subscription for subscription in topology.subscriptions(worker_url="WORKER")}
EVENTARCS: Final = "on-upload"
TRIGGERED: Final = {
    trigger.subscription: trigger.url.rpartition("/")[2] for trigger in topology.triggers(events_url="EVENTS")
}


@pytest.fixture(scope="module")
def module() -> dict[str, Any]:
    return local_values()


def test_topics_are_those_of_the_local_stack(module: dict[str, Any]) -> None:
    assert set(module["topics"]) == set(topology.TOPICS) - {topology.UPLOADS_TOPIC}


def test_buckets_are_those_of_the_local_stack(module: dict[str, Any]) -> None:
    assert set(module["buckets"]) == set(topology.BUCKETS)


def test_every_subscription_but_eventarcs_own_is_there(module: dict[str, Any]) -> None:
    assert set(module["subscriptions"]) == set(LOCAL) - {EVENTARCS}


@pytest.mark.parametrize("name", sorted(set(LOCAL) - {EVENTARCS}))
def test_a_subscription_is_the_local_one(module: dict[str, Any], name: str) -> None:
    here, there = LOCAL[name], module["subscriptions"][name]
    assert there["topic"] == here.topic
    assert there.get("dead_letters") == here.dead_letters
    assert there.get("function") == TRIGGERED.get(name)
    if here.push_url is not None:
        assert there["url"] == here.push_url.replace("WORKER", "${local.worker.uri}")
    retention = None if here.retention is None else f"{here.retention.total_seconds():.0f}s"
    assert there.get("retention") == retention


@pytest.mark.parametrize("name", sorted(set(LOCAL) - {EVENTARCS}))
def test_the_cloud_tries_at_least_as_often(module: dict[str, Any], name: str) -> None:
    attempts = module["subscriptions"][name].get("attempts", 20)
    assert LOCAL[name].attempts <= attempts <= 100


def test_every_function_is_deployed(module: dict[str, Any]) -> None:
    assert set(module["functions"]) == set(FUNCTIONS)


def test_browsers_may_send_what_an_upload_url_binds(module: dict[str, Any]) -> None:
    bound = request_upload.put_headers("image/png", (), "00-0-0-00")
    assert {header.lower() for header in module["signed_headers"]} == {header.lower() for header in bound}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/uploads"),
        ("POST", "/jobs"),
        ("POST", "/intents"),
        ("GET", "/jobs/019ab0d2-5f80-7abc-8def-0123456789ab"),
        ("DELETE", "/jobs/019ab0d2-5f80-7abc-8def-0123456789ab"),
        ("OPTIONS", "/jobs/019ab0d2-5f80-7abc-8def-0123456789ab"),
    ],
)
def test_the_load_balancer_leads_where_the_local_gateway_leads(module: dict[str, Any], method: str, path: str) -> None:
    matching = (
        route["function"]
        for _, route in sorted(module["routes"].items(), key=lambda numbered: int(numbered[0]))
        if route.get("path") == path or path.startswith(route.get("prefix", "\n"))
        if route.get("method", method) == method
    )
    assert next(matching) == gateway._public_function(path, method)
