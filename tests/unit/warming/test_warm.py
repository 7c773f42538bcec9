from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from events.envelope import Event
from events.errors import TransientError
from events.messages import WarmupRequested
from planner.budget import Budget
from planner.instance import Observation
from planner.policy import POLICIES, Policy
from planner.worker import Worker
from tests.fakes import Crash
from tests.unit.examples import TRACEPARENT
from tests.unit.warming.shop import REGION, WAKE, Shop, delivery

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent

    from planner.intents import Stage


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def decisions(logged: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in logged.records if record.message == "warming_decided"]


def intent_event(shop: Shop, stage: str = "file_chosen", *, id_: str = "intent-1") -> CloudEvent:
    event = Event(
        id=id_,
        source="//cutout/intents",
        subject="acme",
        time=shop.clock(),
        traceparent=TRACEPARENT,
        data=WarmupRequested(reason=f"intent:{stage}", at=shop.clock()),
    ).outgoing("ticks")
    return delivery(event.attributes, event.data, shop.clock(), message_id="message-1")


def prompt(shop: Shop, number: int, stage: Stage) -> CloudEvent:
    """Of a session of its own, which has shown that stage."""
    shop.show(stage, f"session-{number}")
    return intent_event(shop, stage, id_=f"intent-{number}")


def lookups(shop: Shop) -> list[str]:
    return [name for name in shop.faults.operations if name.startswith("list") and "~intents/" in name]


def busy(shop: Shop) -> None:
    """A job every four minutes until the worker went away."""
    shop.advance(minutes=-60)
    for _ in range(12):
        shop.job()
        shop.advance(minutes=4)
    shop.advance(minutes=12)


class TestDecisions:
    def test_an_empty_shop_is_left_cold_and_the_numbers_are_logged(
        self, shop: Shop, logged: pytest.LogCaptureFixture
    ) -> None:
        shop.warm()(shop.tick())
        [told] = decisions(logged)
        assert (told["action"], told["reason"], told["trigger_reason"]) == ("none", "not_worth_it", "tick")
        assert told["value_usd"] < 0.01
        assert told["cost_usd"] > 0.2
        assert told["spent_nano_usd"] == 0
        assert shop.publisher.messages == []

    def test_a_chosen_file_sends_the_worker_a_request(self, shop: Shop, logged: pytest.LogCaptureFixture) -> None:
        shop.show("file_chosen")
        shop.warm()(intent_event(shop))
        [request] = shop.requests()
        assert (request.data.reason, request.data.at, request.subject) == ("intents", shop.clock(), REGION)
        [line] = shop.page().lines
        assert (line.entry.key, line.nano_usd) == ("intent-1", WAKE)
        [told] = decisions(logged)
        assert (told["action"], told["trigger_reason"], told["sessions"]) == ("wake", "intent:file_chosen", 1)

    def test_a_busy_hour_needs_no_intent(self) -> None:
        shop = Shop(Policy(usd_per_second_waited=0.05))
        busy(shop)
        shop.warm()(shop.tick())
        [request] = shop.requests()
        assert request.data.reason == "forecast"

    def test_while_the_worker_starts_nobody_asks_again(self, shop: Shop, logged: pytest.LogCaptureFixture) -> None:
        shop.show("file_chosen")
        shop.warm()(intent_event(shop))
        shop.advance(seconds=5)
        shop.show("file_chosen", "another")
        shop.warm()(intent_event(shop, id_="intent-2"))
        assert [told["reason"] for told in decisions(logged)] == ["worth_it", "starting"]
        assert len(shop.requests()) == 1

    def test_a_start_that_failed_is_tried_again(self, shop: Shop) -> None:
        shop.show("file_chosen")
        shop.warm()(intent_event(shop))
        shop.advance(minutes=3)
        shop.show("file_chosen", "another")
        shop.warm()(intent_event(shop, id_="intent-2"))
        assert len(shop.requests()) == 2

    def test_paused_warming_asks_for_nothing(self, shop: Shop, logged: pytest.LogCaptureFixture) -> None:
        shop.flags.put_up("warming-paused", until=shop.clock() + timedelta(hours=1), by="incident")
        shop.show("file_chosen")
        shop.warm()(intent_event(shop))
        assert [told["reason"] for told in decisions(logged)] == ["paused"]
        assert shop.requests() == []

    def test_an_instance_that_was_taken_away_is_known_from_monitoring(
        self, shop: Shop, logged: pytest.LogCaptureFixture
    ) -> None:
        shop.job()
        shop.advance(minutes=6)
        shop.monitor.observation = Observation(shop.clock() - timedelta(minutes=2), 0)
        shop.show("file_chosen")
        shop.warm()(intent_event(shop))
        assert [told["action"] for told in decisions(logged)] == ["wake"]

    def test_a_monitor_that_fails_knows_nothing(self, shop: Shop, logged: pytest.LogCaptureFixture) -> None:
        shop.job()
        shop.advance(minutes=6)
        shop.monitor.error = TransientError("quota")
        shop.show("file_chosen")
        shop.warm()(intent_event(shop))
        assert [told["reason"] for told in decisions(logged)] == ["still_warm"]
        assert "instances_unknown" in logged.messages


class TestIntents:
    def test_they_are_looked_up_only_where_they_could_change_the_decision(self, shop: Shop) -> None:
        shop.show("file_chosen")
        shop.warm()(intent_event(shop))
        assert len(lookups(shop)) == 1
        for _ in range(3):  # the worker starts, and is warm then
            shop.advance(seconds=60)
            shop.activity.note()
            shop.warm()(shop.tick())
        shop.flags.put_up("warming-paused", until=shop.clock() + timedelta(hours=1), by="incident")
        shop.advance(minutes=30)
        shop.warm()(shop.tick())
        assert len(lookups(shop)) == 1

    def test_a_policy_that_does_not_hear_them_does_not_look_for_them(self) -> None:
        for name in set(POLICIES) - {"economic"}:
            shop = Shop(Policy(name=name))
            shop.warm()(shop.tick())
            assert lookups(shop) == []

    def test_a_decision_answers_all_that_was_sent_before_it(self, shop: Shop, logged: pytest.LogCaptureFixture) -> None:
        warm, prompts = shop.warm(), [prompt(shop, number, "page_view") for number in range(20)]
        for each in prompts:
            warm(each)
        assert len(decisions(logged)) == 1
        assert len(lookups(shop)) == 1

    def test_what_is_sent_after_a_decision_has_another_one_two_seconds_later(
        self, shop: Shop, logged: pytest.LogCaptureFixture
    ) -> None:
        warm = shop.warm()
        warm(prompt(shop, 1, "page_view"))
        shop.advance(seconds=0.5)
        began = shop.clock()
        late = [prompt(shop, number, "file_chosen") for number in (2, 3)]
        for each in late:
            warm(each)
        assert [told["action"] for told in decisions(logged)] == ["none", "wake"]
        assert shop.clock() - began == timedelta(seconds=1.5)

    def test_a_tick_is_decided_without_delay(self, shop: Shop, logged: pytest.LogCaptureFixture) -> None:
        warm = shop.warm()
        warm(prompt(shop, 1, "page_view"))
        warm(shop.tick())
        assert len(decisions(logged)) == 2
        assert shop.clock.slept == []

    def test_a_prompt_that_died_before_it_asked_does_so_though_another_was_answered_since(self, shop: Shop) -> None:
        warm, mine = shop.warm(), prompt(shop, 1, "file_chosen")
        shop.faults.arm(_operations_of_a_wake(), TransientError("before the publication"))
        with pytest.raises(TransientError):
            warm(mine)
        shop.advance(seconds=1)
        warm(prompt(shop, 2, "file_chosen"))
        assert shop.requests() == []
        warm(mine)
        assert len(shop.requests()) == 1
        assert shop.page().nano_usd == WAKE


class TestTriggers:
    def test_a_late_trigger_is_dropped(self, shop: Shop, logged: pytest.LogCaptureFixture) -> None:
        tick = shop.tick()
        shop.advance(minutes=3)
        shop.warm()(tick)
        assert decisions(logged) == []
        assert "warming_trigger_stale" in logged.messages

    @pytest.mark.parametrize(
        ("attributes", "data"),
        [
            pytest.param({"ce-type": "cutout.warmup.requested.v1"}, "{}", id="no CloudEvent"),
            pytest.param(
                {
                    "ce-specversion": "1.0",
                    "ce-id": "1",
                    "ce-source": "x",
                    "ce-time": "2026-11-23T12:00:00Z",
                    "ce-type": "cutout.job.requested.v1",
                },
                "{}",
                id="another type",
            ),
        ],
    )
    def test_what_is_no_trigger_is_dropped_too(
        self, shop: Shop, logged: pytest.LogCaptureFixture, attributes: dict[str, str], data: str
    ) -> None:
        shop.warm()(delivery(attributes, data, shop.clock(), message_id="m"))
        assert "warming_trigger_invalid" in logged.messages
        assert shop.publisher.messages == []

    def test_a_trigger_that_comes_twice_asks_once_and_tells_twice(self, shop: Shop) -> None:
        shop.show("file_chosen")
        for _ in range(2):
            shop.warm()(intent_event(shop))
        assert len(shop.publisher.on("warmups")) == 2
        assert len(shop.requests()) == 1, "the same message, letter for letter"
        assert len(shop.page().lines) == 1

    def test_a_request_is_not_repeated_when_it_is_too_late_for_it(self, shop: Shop) -> None:
        shop.show("file_chosen")
        shop.faults.arm(_operations_of_a_wake(), Crash())  # before the last one, the publication
        with pytest.raises(Crash):
            shop.warm()(intent_event(shop))
        assert shop.page().nano_usd == WAKE
        shop.advance(minutes=1, seconds=59)
        late = intent_event(shop)
        shop.advance(seconds=2)
        shop.warm()(late)
        assert shop.publisher.on("warmups") == []


class TestSettling:
    def test_a_wake_for_nobody_is_recorded_once_its_time_is_over(self, shop: Shop) -> None:
        shop.show("file_chosen")
        shop.warm()(intent_event(shop))
        at = shop.clock()
        shop.activity.note()
        for _ in range(15):
            shop.advance(minutes=1)
            shop.warm()(shop.tick())
        [cost] = shop.costs()
        assert (cost.data.kind, cost.data.occurred_at, cost.data.region) == ("warmup", at, REGION)
        assert cost.data.gpu_seconds == 620
        assert cost.data.usd == Worker().price(620)
        assert shop.page().nano_usd == WAKE

    def test_a_job_soon_after_gives_most_of_the_money_back(self, shop: Shop) -> None:
        shop.show("file_chosen")
        shop.warm()(intent_event(shop))
        shop.advance(seconds=70)
        shop.job()
        shop.advance(seconds=20)
        shop.warm()(shop.tick())
        [cost] = shop.costs()
        assert cost.data.gpu_seconds == 100  # to the end of the job's minute, less the start
        assert shop.page().nano_usd == Worker().nano_usd(100)

    def test_yesterdays_last_warm_up_is_settled_today(self, shop: Shop) -> None:
        shop.clock.now = shop.clock.now.replace(hour=23, minute=58)
        shop.show("file_chosen")
        shop.warm()(intent_event(shop))
        shop.advance(minutes=14)
        shop.warm()(shop.tick())
        assert [cost.data.gpu_seconds for cost in shop.costs()] == [620]
        assert (shop.page().nano_usd, shop.page().open) == (0, ())

    def test_a_cost_has_the_id_of_its_region_and_minute(self, shop: Shop) -> None:
        other = Shop()
        for one in (shop, other):
            one.show("file_chosen")
            one.warm()(intent_event(one))
            one.advance(minutes=14)
            one.warm()(one.tick())
        assert [cost.id for cost in shop.costs()] == [cost.id for cost in other.costs()]


class TestTheBudget:
    def test_intents_can_spend_no_more_than_their_share(self, logged: pytest.LogCaptureFixture) -> None:
        shop = Shop(daily_usd="1.00")  # 0.30 for intents: one wake of 0.245
        for number in range(3):
            shop.show("file_chosen", f"session-{number}")
            shop.warm()(intent_event(shop, id_=f"intent-{number}"))
            shop.advance(minutes=20)
        assert [told["reason"] for told in decisions(logged)] == ["worth_it", "budget_spent", "budget_spent"]
        assert shop.page().nano_usd == WAKE

    def test_what_was_given_back_can_be_spent_again(self) -> None:
        shop = Shop(daily_usd="1.00")
        for number in range(3):
            shop.show("file_chosen", f"session-{number}")
            shop.warm()(intent_event(shop, id_=f"intent-{number}"))
            shop.advance(seconds=30)
            shop.job()
            shop.advance(minutes=20)
        assert len(shop.requests()) == 3

    def test_at_midnight_utc_the_budget_is_new(self) -> None:
        shop = Shop(daily_usd="0.82")
        shop.clock.now = shop.clock.now.replace(hour=23, minute=20)
        for number in range(3):
            shop.show("file_chosen", f"session-{number}")
            shop.warm()(intent_event(shop, id_=f"intent-{number}"))
            shop.advance(minutes=30)
        assert len(shop.requests()) == 2

    def test_whoever_decides_at_the_same_moment_one_wake_is_paid_for(self) -> None:
        """In the middle of one decision, at every one of its operations, another one runs to its end."""
        for operation in range(1, _operations_of_a_wake() + 1):
            shop = Shop()
            shop.show("file_chosen")
            shop.faults.arm(operation, partial(shop.warm(), intent_event(shop, id_="rival")))
            shop.warm()(intent_event(shop))
            assert shop.page().nano_usd == WAKE, operation
            assert len(shop.requests()) == 1, operation

    def test_whoever_dies_anywhere_no_more_is_spent_and_the_next_delivery_asks(self) -> None:
        for after in (False, True):
            for operation in range(1, _operations_of_a_wake() + 1):
                shop = Shop()
                shop.show("file_chosen")
                shop.faults.arm(operation, Crash(), after=after)
                with pytest.raises(Crash):
                    shop.warm()(intent_event(shop))
                shop.warm()(intent_event(shop))
                assert len(shop.requests()) == 1, operation
                assert shop.page().nano_usd == WAKE, operation

    def test_storage_that_fails_makes_the_trigger_come_again(self, shop: Shop) -> None:
        shop.show("file_chosen")
        shop.faults.arm(1, TransientError("503"))
        with pytest.raises(TransientError):
            shop.warm()(intent_event(shop))
        assert shop.publisher.messages == []

    def test_the_schedule_keeps_the_budget_too(self) -> None:
        shop = Shop(Policy(name="schedule", budget=Budget(daily_usd=Decimal("1.00"))))
        shop.clock.now = shop.clock.now.replace(hour=14)
        for _ in range(9 * 60):
            shop.warm()(shop.tick())
            shop.advance(minutes=1)
        assert len(shop.requests()) == 4
        assert shop.page().nano_usd == 4 * WAKE


def _operations_of_a_wake() -> int:
    shop = Shop()
    shop.show("file_chosen")
    before = len(shop.faults.operations)
    shop.warm()(intent_event(shop))
    return len(shop.faults.operations) - before
