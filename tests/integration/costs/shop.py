"""Some weeks of a shop, made up: what its photos, warm-ups and idle hours cost."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from events.ids import new_job_id
from events.recipe import Color, Crop, Recipe
from jobs.costs import Billing
from tests.integration.costs.table import REGION, cost, event, job_cost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from events.envelope import Event
    from events.messages import CostRecorded

__all__ = ["weeks_of_a_shop"]

_WORKER: Final = Billing(kind="gpu", plan="instance", region=REGION, vcpus=8, gib=32, gpus=1)
_RENDER: Final = Billing(kind="cpu", plan="function", region=REGION, vcpus=1, gib=1)
_WHITE: Final = Color(color="#ffffff")
_RECIPES: Final = (
    Recipe(),
    Recipe(background=_WHITE, format="jpg", max_side=1200),
    Recipe(crop=Crop(margin=5), max_side=800, format="webp"),
    Recipe(effect="black_white", background=_WHITE, format="jpg"),
)
_MINUTE: Final = timedelta(minutes=1)


def weeks_of_a_shop(end: datetime, *, days: int, jobs_a_day: int, seed: int = 7) -> Iterator[Event[CostRecorded]]:
    """In no order that a reader may rely on. Hours are busier towards the evening, and weekends less."""
    chance = random.Random(seed)
    for back in range(days):
        start = (end - timedelta(days=back)).replace(hour=0, minute=0, second=0, microsecond=0)
        jobs = int(jobs_a_day * chance.uniform(0.7, 1.3) * (0.5 if start.weekday() >= 5 else 1))
        times = sorted(start + timedelta(minutes=60 * chance.triangular(6, 23.9, 18)) for _ in range(jobs))
        yield from _day([at for at in times if at < end], chance)
        yield from _hours([at for at in times if at < end], chance)


def _day(times: list[datetime], chance: random.Random) -> Iterator[Event[CostRecorded]]:
    last = None
    for at in times:
        cache = chance.choices(("hit", "matte", "miss"), (35, 15, 50))[0]
        cold = cache == "miss" and (last is None or at - last > 10 * _MINUTE)
        last = at if cache == "miss" else last
        if cold and chance.random() < 0.4:
            cold = False
            yield event(cost(kind="warmup", occurred_at=at - 3 * _MINUTE, usd=Decimal("0.07"), revision=None))
        yield _job(at, cache, chance, cold=cold)


def _job(at: datetime, cache: str, chance: random.Random, *, cold: bool) -> Event[CostRecorded]:
    recipe = chance.choices(_RECIPES, (8, 5, 3, 1))[0]
    billing = _WORKER if cache == "miss" else _RENDER
    seconds = {"miss": chance.lognormvariate(0.9, 0.3), "matte": chance.uniform(0.4, 1.2), "hit": 0.05}[cache]
    usage = billing.usage(seconds)
    return job_cost(
        occurred_at=at,
        kind="function" if cache == "hit" else billing.kind,
        lane={"miss": "gpu", "matte": "cpu", "hit": None}[cache],
        usd=billing.price(usage),
        gpu_seconds=usage.gpu_seconds,
        vcpu_seconds=usage.vcpu_seconds,
        gib_seconds=usage.gib_seconds,
        job_id=new_job_id(at, chance.getrandbits),
        tenant=chance.choices(("acme", "second-hand-bikes"), (4, 1))[0],
        recipe=recipe.digest(),
        recipe_json=recipe.canonical().decode(),
        cache=cache,
        cold_start=cold if cache == "miss" else None,
        latency_seconds=seconds + chance.uniform(0.1, 0.4) + (chance.uniform(16, 25) if cold else 0),
    )


def _hours(times: list[datetime], chance: random.Random) -> Iterator[Event[CostRecorded]]:
    """An hour with jobs pays for some ten minutes of waiting besides, part of it after a warm-up."""
    for hour in sorted({at.replace(minute=0, second=0, microsecond=0) for at in times}):
        waited = _WORKER.price(_WORKER.usage(chance.uniform(400, 2500)))
        warming = (waited * Decimal(repr(chance.uniform(0, 0.15)))).quantize(Decimal("1e-9"))
        yield event(cost(occurred_at=hour, usd=waited - warming))
        yield event(cost(occurred_at=hour, kind="warmup", usd=warming))
