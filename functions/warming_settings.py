"""What the functions of warming read from the environment, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloud.environment import Environment, SettingsError
from events.recipe import MAX_RECIPES
from planner.budget import Budget
from planner.intents import DEFAULT_STAGES, Stage, StageModel
from planner.policy import POLICIES, Policy, Schedule
from planner.rates import Prior
from planner.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PrecomputeSettings", "WarmingSettings"]

_MOST_FOR_INTENTS: Final = Decimal("0.3")


@dataclass(frozen=True, slots=True)
class WarmingSettings:
    """`service` is the worker's Cloud Run service in `region`, whose instances Monitoring counts.

    `service` is empty where there is none, and `region` may be.
    """

    policy: Policy
    prior: Prior
    service: str
    region: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises `SettingsError` naming every variable that is missing or wrong."""
        env = Environment(environ)
        usual = Policy()
        stages = env.json("WARMING_STAGES", dict[Stage, StageModel], default={})
        service = env.text("WORKER_SERVICE", default="")
        env.check()
        settings = cls(
            policy=Policy(
                name=env.choice("WARMING_POLICY", POLICIES, default=usual.name),
                usd_per_second_waited=env.number(
                    "WARMING_USD_PER_SECOND", default=usual.usd_per_second_waited, minimum=0
                ),
                worker=_worker(env),
                budget=_budget(env),
                schedule=_schedule(env),
                stages={**DEFAULT_STAGES, **stages},
                tick_seconds=env.number("WARMING_TICK_SECONDS", default=usual.tick_seconds, minimum=1, maximum=300),
            ),
            prior=Prior(
                jobs_per_hour=env.number("WARMING_PRIOR_JOBS_PER_HOUR", default=Prior().jobs_per_hour, minimum=0.001)
            ),
            service=service,
            region=env.text("WORKER_REGION", default=None if service else ""),
        )
        env.check()
        _check_zone(settings.policy.schedule.zone)
        return settings


@dataclass(frozen=True, slots=True)
class PrecomputeSettings:
    """For each tenant the `recipes` most popular ones are made, if shoppers asked for them `requests` times or more
    within `demand_age`, for photos no older than `photo_age`.
    """

    daily_usd: Decimal
    recipes: int
    requests: int
    demand_age: timedelta
    photo_age: timedelta
    seconds_a_recipe: float

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises `SettingsError` naming every variable that is missing or wrong."""
        env = Environment(environ)
        settings = cls(
            daily_usd=env.decimal("PRECOMPUTE_DAILY_USD", default=Decimal("0.10"), minimum=Decimal(0)),
            recipes=env.integer("PRECOMPUTE_RECIPES", default=3, minimum=1, maximum=MAX_RECIPES),
            requests=env.integer("PRECOMPUTE_MINIMUM_REQUESTS", default=10, minimum=1),
            demand_age=timedelta(days=env.integer("PRECOMPUTE_DEMAND_DAYS", default=7, minimum=1, maximum=90)),
            photo_age=timedelta(days=env.integer("PRECOMPUTE_PHOTO_DAYS", default=3, minimum=1, maximum=30)),
            seconds_a_recipe=env.number("EXPECTED_RENDER_SECONDS", default=1.0, minimum=0),
        )
        env.check()
        return settings


def _worker(env: Environment) -> Worker:
    usual = Worker()
    return Worker(
        vcpus=env.number("INSTANCE_VCPUS", default=usual.vcpus, minimum=0.08),
        gib=env.number("INSTANCE_GIB", default=usual.gib, minimum=0.125),
        gpus=env.integer("INSTANCE_GPUS", default=usual.gpus, minimum=0, maximum=1),
        cold_start_seconds=env.number(
            "EXPECTED_COLD_START_SECONDS", default=usual.cold_start_seconds, minimum=0.1, maximum=600
        ),
    )


def _budget(env: Environment) -> Budget:
    usual = Budget()
    return Budget(
        daily_usd=env.decimal("WARMING_DAILY_USD", default=usual.daily_usd, minimum=Decimal(0)),
        intents_share=env.decimal(
            "WARMING_INTENTS_SHARE", default=usual.intents_share, minimum=Decimal(0), maximum=_MOST_FOR_INTENTS
        ),
    )


def _schedule(env: Environment) -> Schedule:
    usual = Schedule()
    return Schedule(
        every_minutes=env.integer("WARMING_EVERY_MINUTES", default=usual.every_minutes, minimum=1, maximum=60),
        first_hour=env.integer("WARMING_FIRST_HOUR", default=usual.first_hour, minimum=0, maximum=23),
        last_hour=env.integer("WARMING_LAST_HOUR", default=usual.last_hour, minimum=0, maximum=23),
        zone=env.text("WARMING_ZONE", default=usual.zone),
    )


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError({"WARMING_ZONE": f"is {zone[:80]!r}, must be a time zone like America/New_York"}) from error
