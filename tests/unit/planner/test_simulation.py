"""What each policy makes of two weeks of each pattern. The numbers are the same in every run."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Final, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.budget import Budget
from planner.patterns import PATTERNS, START, Visit, arrivals_from, visits
from planner.policy import POLICIES, Policy, PolicyName
from planner.simulation import Outcome, simulate

DAYS: Final = 14
VALUE: Final = Policy().usd_per_second_waited
WAKE_USD: Final = float(Policy().worker.price(Policy().worker.wake_seconds))
AMPLE: Final = Budget(daily_usd=Decimal(1000))
Contender = Literal["off", "schedule", "unlimited schedule", "economic", "economic without intents"]


@cache
def shoppers(pattern: str) -> tuple[Visit, ...]:
    return tuple(visits(arrivals_from(pattern, DAYS)))


@cache
def outcome(pattern: str, contender: Contender) -> Outcome:
    policy = Policy(name="schedule") if "schedule" in contender else Policy()
    if contender == "off":
        policy = Policy(name="off")
    if "unlimited" in contender:
        policy = msgspec.structs.replace(policy, budget=AMPLE)
    return simulate(shoppers(pattern), policy, start=START, days=DAYS, listen=contender == "economic")


def warming_usd(pattern: str, contender: Contender) -> float:
    return outcome(pattern, contender).bill_usd - outcome(pattern, "off").bill_usd


def worth_usd(pattern: str, contender: Contender) -> float:
    saved = outcome(pattern, "off").seconds_waited - outcome(pattern, contender).seconds_waited
    return VALUE * saved


@pytest.mark.parametrize("pattern", PATTERNS)
class TestEveryPattern:
    def test_no_policy_loses_a_job(self, pattern: str) -> None:
        uploads = len(arrivals_from(pattern, DAYS))
        assert {outcome(pattern, each).jobs for each in ("off", "schedule", "economic")} == {uploads}

    def test_no_day_spends_more_than_its_budget_and_intents_no_more_than_their_share(self, pattern: str) -> None:
        for contender in ("schedule", "economic"):
            for spent in outcome(pattern, contender).most_spent.values():
                assert spent.nano_usd <= 5_000_000_000
                assert spent.intents_nano_usd <= 1_500_000_000

    def test_economic_never_costs_more_than_it_is_worth(self, pattern: str) -> None:
        assert warming_usd(pattern, "economic") <= worth_usd(pattern, "economic")
        assert warming_usd(pattern, "economic without intents") <= worth_usd(pattern, "economic without intents") + 0.01

    def test_economic_is_cheaper_than_the_schedule_all_things_counted(self, pattern: str) -> None:
        economic, schedule = outcome(pattern, "economic"), outcome(pattern, "schedule")
        assert economic.bill_usd < schedule.bill_usd
        assert economic.loss_usd(VALUE) < outcome(pattern, "unlimited schedule").loss_usd(VALUE)
        assert economic.loss_usd(VALUE) <= outcome(pattern, "off").loss_usd(VALUE)

    def test_warming_makes_nobody_wait_longer(self, pattern: str) -> None:
        longest = outcome(pattern, "off").seconds_waited
        for contender in ("schedule", "economic", "economic without intents"):
            assert outcome(pattern, contender).seconds_waited <= longest


class TestEmptyShop:
    def test_economic_spends_next_to_nothing(self) -> None:
        assert warming_usd("empty_shop", "economic") < WAKE_USD
        assert outcome("empty_shop", "economic without intents").wakes == 0

    def test_the_schedule_pays_for_56_wakes_a_day_and_nobody(self) -> None:
        told = outcome("empty_shop", "unlimited schedule")
        assert told.wakes + told.extensions == 56 * DAYS
        assert warming_usd("empty_shop", "unlimited schedule") == pytest.approx(13.7 * DAYS, rel=0.01)


class TestOneAnHour:
    def test_the_forecast_alone_does_not_pay(self) -> None:
        assert outcome("one_an_hour", "economic without intents").wakes == 0

    def test_intents_halve_the_waiting_of_those_whom_the_budget_reaches(self) -> None:
        off, told = outcome("one_an_hour", "off"), outcome("one_an_hour", "economic")
        assert told.seconds_waited < 0.75 * off.seconds_waited
        assert warming_usd("one_an_hour", "economic") < 0.5 * worth_usd("one_an_hour", "economic")


class TestOfficeHours:
    def test_economic_waits_less_than_the_schedule_and_costs_less(self) -> None:
        economic, schedule = outcome("office_hours", "economic"), outcome("office_hours", "unlimited schedule")
        assert economic.seconds_waited < schedule.seconds_waited
        assert warming_usd("office_hours", "economic") < warming_usd("office_hours", "unlimited schedule") / 5

    def test_it_is_kept_alive_rather_than_woken(self) -> None:
        told = outcome("office_hours", "economic without intents")
        assert told.extensions > 10 * told.wakes


class TestFlashSale:
    def test_a_sale_of_last_week_wakes_nobody_on_other_days(self) -> None:
        told = outcome("flash_sale", "economic without intents")
        assert told.wakes + told.extensions <= 4
        assert warming_usd("flash_sale", "economic without intents") < 2 * WAKE_USD


class TestBills:
    def test_a_lone_job_is_billed_from_its_start_to_the_end_of_the_idle_time(self) -> None:
        lone = [Visit((), START + timedelta(hours=1))]
        told = simulate(lone, Policy(name="off"), start=START, days=1)
        assert told.bill_usd == pytest.approx(float(Policy().worker.price(20 + 3 + 600)))
        assert (told.cold_starts, told.seconds_waited) == (1, 20)

    def test_a_second_job_within_the_idle_time_waits_for_nothing(self) -> None:
        two = [Visit((), START + timedelta(hours=1)), Visit((), START + timedelta(hours=1, minutes=10))]
        told = simulate(two, Policy(name="off"), start=START, days=1)
        assert told.cold_starts == 1
        assert told.bill_usd == pytest.approx(float(Policy().worker.price(600 + 3 + 600)))

    def test_jobs_during_a_start_wait_for_its_rest(self) -> None:
        two = [Visit((), START), Visit((), START + timedelta(seconds=5))]
        assert simulate(two, Policy(name="off"), start=START, days=1).seconds_waited == 20 + 15

    def test_each_day_is_told(self) -> None:
        days: list[int] = []
        simulate([], Policy(name="off"), start=START, days=3, on_day=days.append)
        assert days == [1, 2, 3]


@settings(max_examples=15)
@given(
    st.lists(st.floats(0, 86_399), max_size=40),
    st.sampled_from(POLICIES),
    st.floats(0.001, 0.5),
    st.decimals(0, 3, places=2),
)
def test_on_any_day_the_budget_holds(seconds: list[float], name: PolicyName, value: float, daily_usd: Decimal) -> None:
    shop = visits(sorted(START + timedelta(seconds=each) for each in seconds))
    budget = Budget(daily_usd=daily_usd)
    told = simulate(shop, Policy(name=name, usd_per_second_waited=value, budget=budget), start=START, days=1)
    for spent in told.most_spent.values():
        assert spent.nano_usd <= daily_usd.scaleb(9)
        assert spent.intents_nano_usd <= (daily_usd * Decimal("0.3")).scaleb(9)
