"""Warming on the real servers: a shopper's beacon or a scheduler's tick, the decision, the push to the worker."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from events.names import activity_name
from events.trace import new_traceparent
from jobs.desk import utc_now
from jobs.flags import Flags
from jobs.warmups import BookedWarmup
from planner.warmups import Warmup
from planner.worker import Worker
from tests import asking
from tests.waiting import until

if TYPE_CHECKING:
    import httpx

    from tests.integration.warming.conftest import Shop

WAKE_NANO_USD = Worker().nano_usd(Worker().wake_seconds)


def beacon(shop: Shop, stage: str, *, session: str | None = None, **request: Any) -> httpx.Response:
    """What `navigator.sendBeacon(url, JSON.stringify(...))` sends."""
    body = {"session": session or secrets.token_urlsafe(16), "stage": stage, "key": shop.stack.api_key}
    headers = {"Content-Type": "text/plain;charset=UTF-8", "Origin": shop.stack.api_url}
    return asking.post(f"{shop.stack.api_url}/intents", content=json.dumps(body), headers=headers, **request)


def busy_hour(shop: Shop) -> None:
    """A job every four minutes, until the worker went away eleven minutes ago."""
    for minutes in range(12, 60, 4):
        name = f"{activity_name(utc_now() - timedelta(minutes=minutes))}~job"
        shop.stack.store.create(shop.stack.buckets.jobs, name, b"", content_type="text/plain")


class TestIntents:
    def test_a_chosen_file_wakes_the_worker_before_the_photo_is_there(self, shop: Shop) -> None:
        shop.stack.stop_worker()
        shop.forget()
        try:
            assert beacon(shop, "file_chosen").status_code == 204
            [line] = until(lambda: shop.page().lines, bool)
        finally:
            shop.stack.start_worker()
        assert (line.entry.warmup.action, line.entry.warmup.cause) == ("wake", "intents")
        assert line.nano_usd == WAKE_NANO_USD
        [told] = until(shop.warmed_up, bool)
        assert told["reason"] == "intents"
        assert shop.activity.recent()
        [decision] = shop.decisions()
        assert (decision["action"], decision["reason"], decision["trigger_reason"]) == (
            "wake",
            "worth_it",
            "intent:file_chosen",
        )
        assert decision["value_usd"] > decision["cost_usd"] > 0

    def test_a_page_view_waits_for_the_next_tick_and_is_not_worth_a_wake(self, shop: Shop) -> None:
        assert beacon(shop, "page_view").status_code == 204
        assert shop.decisions() == []
        shop.tick()
        [decision] = until(shop.decisions, bool)
        assert (decision["action"], decision["reason"], decision["sessions"]) == ("none", "not_worth_it", 1)
        assert not shop.page().lines

    def test_a_session_that_repeats_itself_is_heard_once(self, shop: Shop) -> None:
        session = secrets.token_urlsafe(16)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: beacon(shop, "file_chosen", session=session), range(8)))
        assert {answer.status_code for answer in answers} == {204}
        until(shop.warmed_up, bool)
        assert len({decision["trigger"] for decision in shop.decisions()}) == 1
        assert len(shop.page().lines) == 1

    def test_many_sessions_at_once_cause_one_wake(self, shop: Shop) -> None:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: beacon(shop, "file_chosen"), range(16)))
        assert {answer.status_code for answer in answers} == {204}
        until(lambda: {each["trigger"] for each in shop.decisions() + shop.answered()}, lambda heard: len(heard) == 16)
        assert [each["action"] for each in shop.decisions()].count("wake") == 1
        assert [line.entry.warmup.action for line in shop.page().lines] == ["wake"]

    def test_intents_spend_no_more_than_their_share(self, shop: Shop) -> None:
        an_hour_ago = utc_now() - timedelta(hours=1)
        spent = Warmup(at=an_hour_ago, action="wake", cause="intents", seconds=620, nano_usd=WAKE_NANO_USD)
        page = shop.page()
        assert shop.ledger.append(page, BookedWarmup(key="earlier", warmup=spent, traceparent=new_traceparent()))
        beacon(shop, "file_chosen")
        [decision] = until(shop.decisions, bool)
        assert (decision["action"], decision["reason"], decision["cause"]) == ("none", "budget_spent", "intents")
        assert decision["spent_on_intents_nano_usd"] == WAKE_NANO_USD
        assert len(shop.page().lines) == 1
        assert shop.warmed_up() == []

    def test_an_unknown_key_and_a_foreign_page_are_refused(self, shop: Shop) -> None:
        url = f"{shop.stack.api_url}/intents"
        body = {"session": secrets.token_urlsafe(16), "stage": "file_chosen"}
        assert asking.post(url, json=body).status_code == 401
        assert asking.post(url, json=body, params={"key": "nobody's"}).status_code == 401
        foreign = {"Origin": "https://evil.example"}
        assert asking.post(url, json=body, params={"key": shop.stack.api_key}, headers=foreign).status_code == 403
        assert asking.post(url, json=body, params={"key": shop.stack.api_key}).status_code == 204
        until(shop.decisions, bool)


class TestTicks:
    def test_a_busy_hour_keeps_a_worker_warm_without_any_intent(self, shop: Shop) -> None:
        busy_hour(shop)
        shop.tick()
        [decision] = until(shop.decisions, bool)
        assert (decision["action"], decision["cause"]) == ("wake", "forecast")
        until(shop.warmed_up, bool)
        shop.tick()
        second = until(shop.decisions, lambda told: len(told) == 2)[1]
        assert second["action"] == "none"
        assert second["reason"] in {"starting", "still_warm"}

    def test_an_empty_shop_stays_cold(self, shop: Shop) -> None:
        shop.tick()
        [decision] = until(shop.decisions, bool)
        assert (decision["action"], decision["reason"]) == ("none", "not_worth_it")
        assert decision["probability"] < 0.05

    def test_paused_warming_does_nothing(self, shop: Shop) -> None:
        busy_hour(shop)
        flags = Flags(shop.stack.store, shop.stack.buckets.jobs, utc_now)
        flags.put_up("warming-paused", until=utc_now() + timedelta(minutes=5), by="test")
        shop.tick()
        [decision] = until(shop.decisions, bool)
        assert decision["reason"] == "paused"

    def test_a_tick_that_is_delivered_twice_at_once_costs_one_wake(self, shop: Shop) -> None:
        busy_hour(shop)
        published = utc_now().isoformat()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: _delivered(shop, "42", published), range(4)))
        assert {answer.status_code for answer in answers} == {200}
        assert [line.entry.key for line in shop.page().lines] == [f"42 {published}"]
        until(shop.warmed_up, bool)

    def test_the_days_budget_holds(self, shop: Shop) -> None:
        busy_hour(shop)
        at = utc_now() - timedelta(hours=2)
        page = shop.page()
        for number in range(4):
            warmup = Warmup(at=at, action="wake", cause="forecast", seconds=620, nano_usd=WAKE_NANO_USD)
            written = shop.ledger.append(
                page, BookedWarmup(key=f"{number}", warmup=warmup, traceparent=new_traceparent())
            )
            assert written is not None
            page = written
        shop.tick()
        [decision] = until(shop.decisions, bool)
        assert (decision["action"], decision["reason"]) == ("none", "budget_spent")
        assert decision["spent_nano_usd"] == 4 * WAKE_NANO_USD


def _delivered(shop: Shop, message_id: str, published: str) -> httpx.Response:
    """A tick as Eventarc delivers it."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": message_id,
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-source": f"//pubsub.googleapis.com/projects/{shop.stack.project}/topics/ticks",
        "ce-time": published,
    }
    body = {"message": {"messageId": message_id, "attributes": {"tick": "warm"}, "data": "", "publishTime": published}}
    return asking.post(f"{shop.stack.events_url}/warm", headers=headers, json=body)
