"""The views over the emulator: every number is reckoned by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from events.ids import new_job_id
from planner.rates import HourCount
from tests.integration.costs.table import NOON, cost, event, job_cost
from warehouse.demand import RecordedDemand
from warehouse.schema import COST_EVENTS

if TYPE_CHECKING:
    from tests.integration.costs.table import CostTable

TODAY = NOON.date()
HOUR = timedelta(hours=1)


def job_id(number: int) -> str:
    return new_job_id(NOON, lambda _bits: number)


class TestCosts:
    def test_an_event_counts_once_however_often_it_came(self, table: CostTable) -> None:
        twice = job_cost()
        table.record(twice, job_cost())
        table.record(twice)

        assert table.scalar("COUNT(*)") == 2
        assert table.scalar("SUM(usd)") == Decimal("0.0023682")
        assert len(table.view("cost_events")) == 3

    def test_an_event_told_with_two_times_counts_once_at_the_first(self, table: CostTable) -> None:
        """Whichever of them is recorded first, and be it on two days."""
        midnight = NOON.replace(hour=0)
        for order, told in enumerate(((midnight - HOUR, midnight), (midnight, midnight - HOUR))):
            table.record(*(job_cost(f"id-{order}", job_id=job_id(order), occurred_at=at) for at in told))

        assert [(row["event_id"], row["occurred_at"]) for row in table.view("costs")] == [
            ("id-0", midnight - HOUR),
            ("id-1", midnight - HOUR),
        ]
        [day] = table.view("cost_per_image_by_day")
        assert (day["day"], day["images"], day["usd"]) == (date(2026, 11, 22), 2, 2 * Decimal("0.0011841"))

    def test_of_an_hour_the_newest_revision_counts(self, table: CostTable) -> None:
        table.record(event(cost(usd=Decimal("0.5"), revision=1)))
        table.record(event(cost(usd=Decimal("0.9"), revision=0)), event(cost(usd=Decimal(2), kind="warmup")))
        table.record(event(cost(usd=Decimal(3), occurred_at=NOON + HOUR)), event(cost(usd=Decimal(4), region="other")))

        assert table.scalar("SUM(usd)") == Decimal("9.5")

    def test_a_warm_ups_own_reckoning_counts_until_its_hour_is_reconciled(self, table: CostTable) -> None:
        for hour in (NOON, NOON + HOUR):
            warmed = cost(usd=Decimal("0.25"), kind="warmup", occurred_at=hour + 0.5 * HOUR, revision=None)
            table.record(event(warmed))
        table.record(event(cost(usd=Decimal("0.2"), kind="warmup")), event(cost(usd=Decimal("0.1"))))

        assert table.scalar("SUM(IF(kind = 'warmup', usd, 0))") == Decimal("0.45")
        assert table.scalar("SUM(usd)") == Decimal("0.55")

    def test_it_has_every_column_of_the_table(self, table: CostTable) -> None:
        table.record(job_cost())
        assert list(table.view("costs")[0]) == [column.name for column in COST_EVENTS.columns]


def test_an_image_bears_its_part_of_the_days_bill(table: CostTable) -> None:
    table.record(
        job_cost(job_id=job_id(1), usd=Decimal("0.002")),
        job_cost(job_id=job_id(1), usd=Decimal("0.002"), recipe="1" * 32),
        job_cost(job_id=job_id(2), usd=Decimal("0.001"), kind="cpu", lane="cpu"),
        job_cost(job_id=job_id(2), usd=Decimal("0.001"), kind="function", recipe=None, cache=None),
        job_cost(job_id=job_id(3), usd=Decimal("0.004"), kind="cpu", lane="cpu", speculative=True),
        event(cost(usd=Decimal("0.19"))),
        event(cost(usd=Decimal("0.1"), kind="warmup")),
        job_cost(job_id=job_id(4), occurred_at=NOON - 24 * HOUR),
    )

    yesterday, today = table.view("cost_per_image_by_day")
    assert (yesterday["day"], yesterday["images"], yesterday["usd"]) == (date(2026, 11, 22), 1, Decimal("0.0011841"))
    assert today == {
        "day": TODAY,
        "images": 2,
        "results": 3,
        "gpu_usd": Decimal("0.004"),
        "cpu_usd": Decimal("0.005"),
        "function_usd": Decimal("0.001"),
        "idle_usd": Decimal("0.19"),
        "warmup_usd": Decimal("0.1"),
        "catalogue_usd": Decimal(0),
        "usd": Decimal("0.3"),
        "usd_per_image": Decimal("0.15"),
        "usd_per_image_of_jobs": Decimal("0.005"),
    }


def test_a_catalogue_makes_no_image_of_a_shopper_dearer(table: CostTable) -> None:
    """It is in the day's bill, but its images are not among those that are counted."""
    table.record(job_cost(job_id=job_id(1), usd=Decimal("0.002")))
    [before] = table.view("cost_per_image_by_day")
    table.record(
        job_cost(job_id=job_id(2), usd=Decimal("0.5"), speculative=True),
        job_cost(job_id=job_id(3), usd=Decimal("0.25"), recipe=None, cache=None, speculative=True),
        job_cost(job_id=job_id(4), usd=Decimal(0), lane=None, cache="hit", speculative=True),
    )
    [after] = table.view("cost_per_image_by_day")
    assert (after["usd_per_image"], after["usd_per_image_of_jobs"]) == (Decimal("0.002"), Decimal("0.002"))
    assert after == before | {
        "gpu_usd": Decimal("0.752"),
        "catalogue_usd": Decimal("0.75"),
        "usd": Decimal("0.752"),
    }


def test_a_catalogue_is_no_demand_that_a_worker_is_kept_warm_for(table: CostTable) -> None:
    table.record(
        job_cost(job_id=job_id(1)),
        job_cost(job_id=job_id(2), speculative=True),
        job_cost(job_id=job_id(3), occurred_at=NOON - 2 * HOUR, speculative=True),
    )
    history = RecordedDemand(table.queries, table.dataset).jobs_by_hour(NOON - 24 * HOUR, NOON + HOUR)
    assert (history.since, history.counts) == (NOON - 2 * HOUR, (HourCount(NOON, 1),))


def test_a_day_without_images_has_no_price_of_one(table: CostTable) -> None:
    table.record(event(cost()))
    [day] = table.view("cost_per_image_by_day")
    assert (day["images"], day["usd_per_image"]) == (0, None)


def test_answers_of_the_cache_are_counted_by_result(table: CostTable) -> None:
    caches = ("hit", "hit", "hit", "matte", "miss")
    table.record(*(job_cost(job_id=job_id(number), cache=cache) for number, cache in enumerate(caches)))
    table.record(job_cost(cache=None, recipe=None), job_cost(cache="matte", speculative=True))

    assert table.view("cache_answers_by_day") == [
        {
            "day": TODAY,
            "answers": 5,
            "hits": 3,
            "mattes": 1,
            "misses": 1,
            "hit_rate": 0.6,
            "rate_without_gpu": 0.8,
        }
    ]


def test_latency_and_cold_starts_are_counted_by_job_and_hour(table: CostTable) -> None:
    table.record(
        *(
            job_cost(job_id=job_id(number), recipe=recipe, latency_seconds=float(number), cold_start=number > 90)
            for number in range(1, 101)
            for recipe in ("0" * 32, "1" * 32)
        )
    )
    table.record(
        job_cost(occurred_at=NOON + HOUR, kind="function", lane=None, cold_start=None, latency_seconds=0.25),
        job_cost(recipe=None, latency_seconds=None, cold_start=True),
        job_cost(speculative=True, latency_seconds=9000.0),
    )

    busy, quiet = table.view("latency_by_hour")
    assert (busy["hour"], busy["jobs"], busy["worker_jobs"], busy["cold_starts"]) == (NOON, 100, 100, 10)
    assert busy["cold_start_share"] == 0.1
    assert [busy[f"p{share}_seconds"] for share in (50, 95, 99)] == pytest.approx([50, 95, 99], abs=1)
    assert (quiet["worker_jobs"], quiet["cold_start_share"], quiet["p50_seconds"]) == (0, None, 0.25)


def test_a_warm_up_returns_the_next_job_that_would_have_been_cold(table: CostTable) -> None:
    def minute(number: int) -> dict[str, Any]:
        return {"occurred_at": NOON + timedelta(minutes=number), "job_id": job_id(number)}

    def warm_up(number: int, *, told_as_of: int = 0) -> None:
        at = NOON + timedelta(minutes=told_as_of or number)
        warmed = cost(kind="warmup", usd=Decimal("0.01"), occurred_at=at, revision=None)
        table.record(event(warmed, f"warm-up-{number}"))

    table.record(job_cost(**minute(0), cold_start=True))
    table.record(job_cost(**minute(5)), job_cost(**minute(6), recipe="1" * 32))  # warm, but not by a warm-up
    warm_up(20)
    table.record(job_cost(**minute(25)))  # this one
    table.record(job_cost(**minute(26)))  # this one would have been warm after it
    warm_up(60)
    warm_up(60, told_as_of=61)  # the same one, counted once
    table.record(job_cost(**minute(75), cold_start=True))  # came too late
    table.record(event(cost(usd=Decimal("0.3"), kind="warmup")), event(cost(usd=Decimal(0), kind="idle")))

    assert table.view("warm_up_return_by_day") == [
        {
            "day": TODAY,
            "warm_ups": 2,
            "served_warm": 1,
            "served_cold": 2,
            "usd": Decimal("0.31"),
            "usd_per_job_served_warm": Decimal("0.31"),
        }
    ]


def test_a_tenant_sees_what_each_recipe_cost(table: CostTable) -> None:
    table.record(
        job_cost(usd=Decimal("0.002")),
        job_cost(usd=Decimal("0.004"), job_id=job_id(2)),
        job_cost(usd=Decimal("0.001"), recipe="1" * 32, recipe_json='{"effect":"black_white"}'),
        job_cost(usd=Decimal("0.003"), recipe=None, recipe_json=None, cache=None, kind="function"),
        job_cost(usd=Decimal("0.007"), tenant="other"),
        event(cost()),
    )

    rows = table.view("cost_by_tenant_and_recipe", order="tenant, recipe")
    assert [(row["tenant"], row["recipe_json"], row["results"], row["usd"], row["usd_per_result"]) for row in rows] == [
        ("acme", None, 0, Decimal("0.003"), None),
        ("acme", "{}", 2, Decimal("0.006"), Decimal("0.003")),
        ("acme", '{"effect":"black_white"}', 1, Decimal("0.001"), Decimal("0.001")),
        ("other", "{}", 1, Decimal("0.007"), Decimal("0.007")),
    ]
