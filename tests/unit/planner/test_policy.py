from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.budget import Budget, Spent
from planner.instance import Instance
from planner.intents import STAGES, Intent, Stage
from planner.policy import POLICIES, Policy, PolicyName, Schedule, Situation, decide
from planner.rates import WeeklyRates
from planner.worker import Worker

MONDAY_NOON = datetime(2026, 11, 23, 17, 0, 5, tzinfo=UTC)
"""12:00:05 in New York, a tick of the schedule."""
COLD = Instance(state="cold")
WAKE = Worker().nano_usd(620)


def rates(per_hour: float) -> WeeklyRates:
    return WeeklyRates(zone="America/New_York", per_hour=(per_hour,) * 168)


def situation(*, per_hour: float = 0.05, now: datetime = MONDAY_NOON, **known: Any) -> Situation:
    return Situation(now=now, rates=rates(per_hour), **({"instance": COLD} | known))


def warm(remaining: float) -> Instance:
    return Instance(state="warm", remaining=remaining)


def sessions(stage: Stage, number: int = 1, *, seconds_ago: float = 0.0) -> tuple[Intent, ...]:
    at = MONDAY_NOON - timedelta(seconds=seconds_ago)
    return tuple(Intent(f"session-{index}", stage, at) for index in range(number))


ECONOMIC = Policy()
SCHEDULE = Policy(name="schedule")


class TestOff:
    def test_it_never_acts(self) -> None:
        decision = decide(Policy(name="off"), situation(per_hour=1000, intents=sessions("file_chosen", 20)))
        assert (decision.action, decision.reason) == ("none", "off")


class TestSchedule:
    def test_it_wakes_a_cold_worker_when_a_quarter_of_an_hour_begins(self) -> None:
        decision = decide(SCHEDULE, situation())
        assert (decision.action, decision.reason, decision.cause) == ("wake", "due", "schedule")
        assert decision.nano_usd == WAKE

    def test_a_ping_to_a_warm_worker_costs_what_it_adds(self) -> None:
        decision = decide(SCHEDULE, situation(instance=warm(400)))
        assert (decision.action, decision.nano_usd) == ("extend", Worker().nano_usd(200))

    def test_once_asked_it_waits_for_the_next_quarter(self) -> None:
        asked = MONDAY_NOON.replace(second=0) + timedelta(seconds=1)
        for minutes in range(5):
            later = MONDAY_NOON + timedelta(minutes=minutes)
            assert decide(SCHEDULE, situation(now=later, requested=asked)).reason == "not_due"
        assert decide(SCHEDULE, situation(now=MONDAY_NOON + timedelta(minutes=15), requested=asked)).reason == "due"

    def test_a_late_tick_still_counts_for_its_quarter_and_a_very_late_one_does_not(self) -> None:
        before = MONDAY_NOON - timedelta(minutes=15)
        assert decide(SCHEDULE, situation(now=MONDAY_NOON + timedelta(minutes=3), requested=before)).reason == "due"
        assert decide(SCHEDULE, situation(now=MONDAY_NOON + timedelta(minutes=6), requested=before)).reason == "not_due"

    def test_it_is_56_times_a_day_from_8_to_21_45_in_new_york(self) -> None:
        midnight = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
        asked: list[datetime] = []
        for minute in range(24 * 60):
            now = midnight + timedelta(minutes=minute)
            last = asked[-1] if asked else None
            unlimited = msgspec.structs.replace(SCHEDULE, budget=Budget(daily_usd=Decimal(100)))
            if decide(unlimited, situation(now=now, requested=last)).acts:
                asked.append(now)
        assert len(asked) == 56
        assert asked[0] == midnight + timedelta(hours=8)
        assert asked[-1] == midnight + timedelta(hours=21, minutes=45)

    def test_what_anybody_shows_makes_no_difference(self) -> None:
        quiet = situation(now=MONDAY_NOON + timedelta(minutes=7), intents=sessions("file_chosen", 5), per_hour=100)
        assert decide(SCHEDULE, quiet).reason == "not_due"

    def test_another_zone_and_rhythm(self) -> None:
        berlin = Schedule(every_minutes=20, first_hour=9, last_hour=16, zone="Europe/Berlin")
        assert berlin.due_since(datetime(2026, 11, 23, 7, 59, tzinfo=UTC)) is None
        at = datetime(2026, 11, 23, 15, 41, tzinfo=UTC)
        assert berlin.due_since(at) == at.replace(minute=40)
        assert berlin.due_since(datetime(2026, 11, 23, 16, 0, tzinfo=UTC)) is None


class TestEconomic:
    def test_an_empty_shop_stays_cold(self) -> None:
        decision = decide(ECONOMIC, situation())
        assert (decision.action, decision.reason) == ("none", "not_worth_it")
        assert decision.value_usd is not None
        assert decision.cost_usd is not None
        assert decision.value_usd < 0.01
        assert decision.cost_usd > 0.2

    def test_a_busy_hour_is_worth_a_wake(self) -> None:
        decision = decide(ECONOMIC, situation(per_hour=15, recent=_every(5)))
        assert (decision.action, decision.reason, decision.cause) == ("wake", "worth_it", "forecast")
        assert decision.nano_usd == WAKE
        assert decision.probability is not None
        assert decision.probability > 0.8

    def test_one_image_an_hour_is_not(self) -> None:
        once = (MONDAY_NOON - timedelta(minutes=55),)
        assert decide(ECONOMIC, situation(per_hour=1, recent=once)).reason == "not_worth_it"

    def test_it_is_when_waiting_costs_more(self) -> None:
        dear = Policy(usd_per_second_waited=0.2)
        assert decide(dear, situation(per_hour=1, recent=(MONDAY_NOON - timedelta(minutes=25),))).acts

    def test_a_chosen_file_is_worth_a_wake_in_an_empty_shop(self) -> None:
        decision = decide(ECONOMIC, situation(intents=sessions("file_chosen")))
        assert (decision.action, decision.cause, decision.sessions) == ("wake", "intents", 1)

    @pytest.mark.parametrize("stage", ["page_view", "scroll", "hover"])
    def test_less_than_that_is_not(self, stage: Stage) -> None:
        decision = decide(ECONOMIC, situation(intents=sessions(stage)))
        assert (decision.action, decision.cause) == ("none", None)

    def test_but_many_who_hover_are(self) -> None:
        assert decide(ECONOMIC, situation(intents=sessions("hover", 6))).cause == "intents"

    def test_who_chose_a_file_two_minutes_ago_does_not_upload_it_any_more(self) -> None:
        assert not decide(ECONOMIC, situation(intents=sessions("file_chosen", seconds_ago=120))).acts

    def test_what_pays_without_intents_is_not_charged_to_them(self) -> None:
        busy = situation(per_hour=15, recent=_every(5), intents=sessions("file_chosen"))
        assert decide(ECONOMIC, busy).cause == "forecast"

    def test_a_warm_worker_is_left_alone_until_its_last_tick(self) -> None:
        busy: dict[str, Any] = {"per_hour": 30, "recent": _every(4)}
        assert decide(ECONOMIC, situation(**busy, instance=warm(200))).reason == "still_warm"
        decision = decide(ECONOMIC, situation(**busy, instance=warm(70)))
        assert (decision.action, decision.nano_usd) == ("extend", Worker().nano_usd(530))

    def test_a_quiet_worker_is_let_go(self) -> None:
        assert decide(ECONOMIC, situation(per_hour=0.5, instance=warm(30))).reason == "not_worth_it"

    def test_a_starting_worker_is_not_asked_again(self) -> None:
        starting = Instance(state="starting")
        busy = situation(per_hour=100, instance=starting, intents=sessions("file_chosen", 5))
        assert decide(ECONOMIC, busy).reason == "starting"

    def test_after_a_flash_sale_the_worker_is_let_go(self) -> None:
        sale = tuple(MONDAY_NOON - timedelta(seconds=540 + 15 * index) for index in range(200))
        assert not decide(ECONOMIC, situation(per_hour=1, recent=sale, instance=warm(60))).acts


class TestBudget:
    def test_a_spent_budget_stops_every_policy(self) -> None:
        spent = Spent(nano_usd=4_800_000_000)
        for policy in (SCHEDULE, ECONOMIC):
            decision = decide(policy, situation(per_hour=15, recent=_every(5), spent=spent))
            assert (decision.action, decision.reason) == ("none", "budget_spent")
            assert decision.nano_usd == WAKE

    def test_intents_stop_at_their_share_and_the_forecast_goes_on(self) -> None:
        spent = Spent(nano_usd=1_400_000_000, intents_nano_usd=1_400_000_000)
        assert decide(ECONOMIC, situation(intents=sessions("file_chosen"), spent=spent)).reason == "budget_spent"
        assert decide(ECONOMIC, situation(per_hour=15, recent=_every(5), spent=spent)).acts

    def test_an_extension_fits_where_a_wake_does_not(self) -> None:
        spent = Spent(nano_usd=5_000_000_000 - WAKE + 1)
        busy: dict[str, Any] = {"per_hour": 30, "recent": _every(4), "spent": spent}
        assert decide(ECONOMIC, situation(**busy)).reason == "budget_spent"
        assert decide(ECONOMIC, situation(**busy, instance=warm(70))).acts

    def test_no_budget_buys_nothing(self) -> None:
        nothing = msgspec.structs.replace(ECONOMIC, budget=Budget(daily_usd=Decimal(0)))
        assert not decide(nothing, situation(intents=sessions("file_chosen"))).acts

    def test_paused_warming_spends_nothing(self) -> None:
        for policy in (SCHEDULE, ECONOMIC):
            assert decide(policy, situation(per_hour=100, paused=True)).reason == "paused"


shops = st.builds(
    situation,
    per_hour=st.floats(0, 200),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC)),  # noqa: DTZ001  # naive, then made UTC
    instance=st.one_of(st.just(COLD), st.just(Instance(state="starting")), st.floats(0, 600).map(warm)),
    spent=st.integers(0, 6_000_000_000).flatmap(
        lambda whole: st.integers(0, whole).map(lambda part: Spent(nano_usd=whole, intents_nano_usd=part))
    ),
    intents=st.lists(st.sampled_from(STAGES), max_size=8).map(
        lambda stages: tuple(Intent(str(index), stage, MONDAY_NOON) for index, stage in enumerate(stages))
    ),
    paused=st.booleans(),
)


@given(shops, st.sampled_from(POLICIES), st.floats(0, 1))
def test_whatever_happens_a_decision_stays_within_the_budget(shop: Situation, name: PolicyName, value: float) -> None:
    policy = Policy(name=name, usd_per_second_waited=value)
    decision = decide(policy, shop)
    if decision.acts:
        assert decision.cause is not None
        after = shop.spent.plus(decision.cause, decision.nano_usd)
        assert after.nano_usd <= 5_000_000_000
        assert decision.cause != "intents" or after.intents_nano_usd <= 1_500_000_000
        assert 0 <= decision.nano_usd <= WAKE
        assert decision.nano_usd == Worker().nano_usd(decision.seconds)


@given(shops, st.floats(0, 1))
def test_an_economic_decision_to_act_is_worth_more_than_it_costs(shop: Situation, value: float) -> None:
    decision = decide(Policy(usd_per_second_waited=value), shop)
    if decision.acts:
        assert decision.value_usd is not None
        assert decision.cost_usd is not None
        assert decision.value_usd > decision.cost_usd


def _every(minutes: int) -> tuple[datetime, ...]:
    """A job each so many minutes in the last hour, none in the last ten."""
    return tuple(MONDAY_NOON - timedelta(minutes=ago) for ago in range(11, 60, minutes))
