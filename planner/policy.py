"""Whether to ask for a warm worker now: a pure function of the time, the shop, the instance and the budget."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from planner.arrivals import forecast
from planner.budget import Budget, Cause, Spent
from planner.economics import appraise_extension, appraise_wake
from planner.instance import Instance
from planner.intents import DEFAULT_STAGES, Intent, Stage, StageModel, hopes, with_hopes
from planner.rates import WeeklyRates
from planner.worker import Worker

if TYPE_CHECKING:
    from planner.economics import Appraisal, Survival

__all__ = [
    "POLICIES",
    "Decision",
    "Policy",
    "PolicyName",
    "Reason",
    "Schedule",
    "Situation",
    "awaits_intents",
    "decide",
]

PolicyName = Literal["off", "schedule", "economic"]
POLICIES: Final[tuple[PolicyName, ...]] = get_args(PolicyName)
Reason = Literal[
    "off", "paused", "not_due", "due", "starting", "still_warm", "not_worth_it", "worth_it", "budget_spent"
]

_FORECAST: Final[Cause] = "forecast"
_INTENTS: Final[Cause] = "intents"
_DELIVERY_SECONDS: Final = 20.0
"""From a decision to the worker, at worst: who decides later than this before the end finds it gone."""
_LATE: Final = timedelta(minutes=5)
"""A scheduled warm-up that could not be asked for in time is left out."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Every so many minutes, from the first to the end of the last hour of the day: what cron writes as `*/15 8-21`."""

    every_minutes: Annotated[int, msgspec.Meta(ge=1, le=60)] = 15
    first_hour: Annotated[int, msgspec.Meta(ge=0, le=23)] = 8
    last_hour: Annotated[int, msgspec.Meta(ge=0, le=23)] = 21
    zone: str = "America/New_York"

    def due_since(self, now: datetime) -> datetime | None:
        """The last moment of the schedule, unless it is too long ago."""
        local = now.astimezone(ZoneInfo(self.zone))
        moment = local.replace(minute=local.minute - local.minute % self.every_minutes, second=0, microsecond=0)
        inside = self.first_hour <= moment.hour <= self.last_hour
        return moment if inside and local - moment < _LATE else None


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """`usd_per_second_waited` is what a second of a shopper's waiting for a cold worker is worth."""

    name: PolicyName = "economic"
    usd_per_second_waited: Annotated[float, msgspec.Meta(ge=0)] = 0.01
    worker: Worker = Worker()
    budget: Budget = Budget()
    schedule: Schedule = Schedule()
    stages: Mapping[Stage, StageModel] = DEFAULT_STAGES
    tick_seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    """Between two ticks: nobody else would extend a warm worker that ends before the next one."""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """`recent` are jobs of the last hour that needed the worker. `requested` is when a warm-up was last asked for."""

    now: datetime
    rates: WeeklyRates
    instance: Instance
    spent: Spent = Spent()
    recent: tuple[datetime, ...] = ()
    intents: tuple[Intent, ...] = ()
    requested: datetime | None = None
    paused: bool = False


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """With the numbers it was made of, where it took any. Acting on it adds at most `seconds` of an instance to the
    bill, which are `nano_usd` (10^-9).
    """

    action: Literal["none", "wake", "extend"]
    reason: Reason
    cause: Cause | None = None
    seconds: float = 0.0
    nano_usd: int = 0
    per_hour: float | None = None
    sessions: int = 0
    probability: float | None = None
    seconds_saved: float | None = None
    value_usd: float | None = None
    cost_usd: float | None = None

    @property
    def acts(self) -> bool:
        return self.action != "none"


def decide(policy: Policy, situation: Situation) -> Decision:
    """What to do now. It never asks for more than the budget has left."""
    if policy.name == "off":
        return _nothing("off")
    if situation.paused:
        return _nothing("paused")
    decision = _scheduled(policy, situation) if policy.name == "schedule" else _economic(policy, situation)
    if decision.cause is None or decision.nano_usd <= policy.budget.left(situation.spent, decision.cause):
        return decision
    return msgspec.structs.replace(decision, action="none", reason="budget_spent")


def awaits_intents(policy: Policy, situation: Situation) -> bool:
    """Whether intents, of which the situation holds none, could change the decision: they only add reasons to act."""
    return decide(policy, situation).reason == "not_worth_it"


def _scheduled(policy: Policy, situation: Situation) -> Decision:
    due = policy.schedule.due_since(situation.now)
    if due is None or (situation.requested is not None and situation.requested >= due):
        return _nothing("not_due")
    return _act(policy, situation, "due", "schedule")


def _economic(policy: Policy, situation: Situation) -> Decision:
    if situation.instance.state == "starting":
        return _nothing("starting")
    if situation.instance.state == "warm" and situation.instance.remaining > policy.tick_seconds + _DELIVERY_SECONDS:
        return _nothing("still_warm")
    usual = situation.rates.over(situation.now, policy.worker.wake_seconds)
    expected = forecast(usual, situation.recent, situation.now)
    sessions = hopes(situation.intents, policy.stages, situation.now)
    alone = _appraise(expected.survival, policy, situation)
    appraisal, cause = alone, _FORECAST
    if sessions and not alone.pays:
        appraisal, cause = _appraise(with_hopes(expected.survival, sessions), policy, situation), _INTENTS
    numbers = {"per_hour": expected.per_hour, "sessions": len(sessions), **msgspec.structs.asdict(appraisal)}
    decision = _act(policy, situation, "worth_it", cause) if appraisal.pays else _nothing("not_worth_it")
    return msgspec.structs.replace(decision, **numbers)


def _appraise(survival: Survival, policy: Policy, situation: Situation) -> Appraisal:
    value = policy.usd_per_second_waited
    if situation.instance.state == "warm":
        remaining = situation.instance.remaining
        return appraise_extension(survival, policy.worker, remaining=remaining, usd_per_second_waited=value)
    return appraise_wake(survival, policy.worker, usd_per_second_waited=value)


def _act(policy: Policy, situation: Situation, reason: Reason, cause: Cause) -> Decision:
    """A wake is billed from the start to the end of the idle time, an extension for what it adds to that."""
    instance, worker = situation.instance, policy.worker
    cold = instance.state == "cold"
    seconds = worker.wake_seconds if cold else max(0.0, worker.idle_seconds - instance.remaining)
    return Decision(
        action="wake" if cold else "extend",
        reason=reason,
        cause=cause,
        seconds=seconds,
        nano_usd=worker.nano_usd(seconds),
    )


def _nothing(reason: Reason) -> Decision:
    return Decision(action="none", reason=reason)
