from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import flask
import pytest
from werkzeug.test import EnvironBuilder

from events.envelope import decode
from events.messages import WarmupRequested
from functions.intents import ReceiveIntent
from functions.web import endpoint
from jobs.intents import Intents
from planner.intents import DEFAULT_STAGES
from tests.unit.functions.api import KEY, ORIGIN, OTHER_KEY, Api
from tests.unit.scene import BUCKETS, SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from planner.intents import Stage, StageModel

SESSION = "7b0c5a1e9f3d4c2b"


class Beacons:
    """`POST /intents`, as a browser sends it."""

    def __init__(self, stages: Mapping[Stage, StageModel] = DEFAULT_STAGES) -> None:
        self.api = Api()
        scene = self.api.scene
        self.intents = Intents(scene.store, BUCKETS.jobs, scene.clock, secret=SECRET)
        handle = ReceiveIntent(scene.desk, self.api.admission, self.intents, stages)
        self._endpoint = endpoint(handle, methods=("POST",), tenants=self.api.tenants, limits=self.api.limits)

    def send(
        self,
        body: object,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
        content_type: str = "text/plain;charset=UTF-8",
    ) -> flask.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        builder = EnvironBuilder(
            method=method,
            path="/intents",
            query_string=query,
            data=data,
            content_type=content_type,
            headers=[("Origin", ORIGIN), *(headers or {}).items()],
        )
        return self._endpoint(flask.Request(builder.get_environ()))

    def ticks(self) -> list[Any]:
        return [
            decode(message.data, message.attributes, WarmupRequested)
            for message in self.api.scene.publisher.on("ticks")
        ]

    def shown(self) -> list[Stage]:
        return [intent.stage for intent in self.intents.since(self.api.scene.clock())]


@pytest.fixture
def beacons() -> Beacons:
    return Beacons()


def intent(stage: str = "file_chosen", **more: object) -> dict[str, object]:
    return {"session": SESSION, "stage": stage, **more}


def test_a_beacon_with_its_key_in_the_body_is_taken(beacons: Beacons) -> None:
    response = beacons.send(intent(key=KEY))
    assert (response.status_code, response.get_data()) == (204, b"")
    assert beacons.shown() == ["file_chosen"]


def test_the_key_may_stand_in_the_query_or_in_the_header(beacons: Beacons) -> None:
    assert beacons.send(intent("page_view"), query=f"key={KEY}").status_code == 204
    assert beacons.send(intent("scroll"), headers={"X-Api-Key": KEY}).status_code == 204
    assert beacons.shown() == ["page_view", "scroll"] or set(beacons.shown()) == {"page_view", "scroll"}


@pytest.mark.parametrize("content_type", ["text/plain;charset=UTF-8", "application/json", ""])
def test_the_content_type_does_not_matter(beacons: Beacons, content_type: str) -> None:
    assert beacons.send(intent(key=KEY), content_type=content_type).status_code == 204


def test_nothing_is_kept_in_the_browser_and_nothing_read_from_it(beacons: Beacons) -> None:
    response = beacons.send(intent(key=KEY), headers={"Cookie": "session=other"})
    assert "Set-Cookie" not in response.headers
    assert beacons.shown() == ["file_chosen"]


def test_an_urgent_stage_asks_for_a_decision_at_once_and_once(beacons: Beacons) -> None:
    for _ in range(3):
        assert beacons.send(intent(key=KEY)).status_code == 204
    [tick] = beacons.ticks()
    assert (tick.data.reason, tick.subject) == ("intent:file_chosen", "acme")


def test_other_stages_wait_for_the_next_tick(beacons: Beacons) -> None:
    for stage in ("page_view", "scroll"):
        beacons.send(intent(stage, key=KEY))
    assert beacons.ticks() == []
    assert len(beacons.shown()) == 2


def test_two_shoppers_ask_under_two_ids(beacons: Beacons) -> None:
    beacons.send(intent(key=KEY))
    beacons.send({"session": "another-session-id", "stage": "file_chosen", "key": KEY})
    assert len({tick.id for tick in beacons.ticks()}) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(b"not JSON", "$", id="no JSON"),
        pytest.param(b"[]", "$", id="a list"),
        pytest.param({"stage": "hover", "key": KEY}, "$.session", id="no session"),
        pytest.param({"session": "short", "stage": "hover", "key": KEY}, "$.session", id="short session"),
        pytest.param({"session": "x" * 65, "stage": "hover", "key": KEY}, "$.session", id="long session"),
        pytest.param({"session": "../../etc/passwd!", "stage": "hover", "key": KEY}, "$.session", id="odd session"),
        pytest.param({"session": SESSION, "stage": "bought", "key": KEY}, "$.stage", id="unknown stage"),
        pytest.param({"session": SESSION, "stage": "hover", "key": 7}, "$.key", id="a number as key"),
        pytest.param({"session": SESSION, "stage": "hover", "key": KEY, "user": "x"}, "$.user", id="more than asked"),
    ],
)
def test_a_body_that_is_not_exactly_an_intent_is_refused(beacons: Beacons, body: object, field: str) -> None:
    response = beacons.send(body)
    assert response.status_code == 400
    assert field in json.loads(response.get_data())["error"]["fields"]
    assert beacons.shown() == []


def test_a_large_body_is_refused(beacons: Beacons) -> None:
    assert beacons.send(b" " * 70_000).status_code == 400


def test_no_key_and_an_unknown_key_are_refused(beacons: Beacons) -> None:
    assert beacons.send(intent()).status_code == 401
    assert beacons.send(intent(key="nobody's")).status_code == 401
    assert beacons.shown() == []


def test_a_page_of_another_shop_is_refused(beacons: Beacons) -> None:
    assert beacons.send(intent(key=OTHER_KEY)).status_code == 403


def test_a_tenant_that_may_not_upload_today_warms_nothing(beacons: Beacons) -> None:
    scene = beacons.api.scene
    name = f"~spend/acme/{scene.clock().date()}/019ab0d2-5f80-7abc-8def-0123456789ab~0~2000000000"
    scene.store.put(BUCKETS.jobs, name, b"")
    response = beacons.send(intent(key=KEY))
    assert response.status_code == 429
    assert beacons.shown() == []


def test_only_posts_are_taken(beacons: Beacons) -> None:
    assert beacons.send(intent(key=KEY), method="GET").status_code == 405


def test_where_warming_does_not_listen_nothing_is_kept(beacons: Beacons) -> None:
    deaf = Beacons(stages={})
    assert deaf.send(intent(key=KEY)).status_code == 204
    assert (deaf.shown(), deaf.ticks()) == ([], [])
    assert beacons.send(intent(key="nobody's")).status_code == 401
