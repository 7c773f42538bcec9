"""What warming costs, and what it learns from: the cost table, filled by the stack itself."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from cloud.bigquery import BigQueryQueries
from events.names import activity_name
from jobs.desk import utc_now
from local.notifications import Notifications
from local.stack import DATASET
from planner.worker import Worker
from tests import asking
from tests.integration.warming.test_warming import beacon
from tests.waiting import PATIENCE, until
from warehouse.demand import RecordedDemand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.notifications import Notification
    from local.stack import Stack
    from local.storefront import Storefront
    from tests.integration.warming.conftest import Shop

GREY: dict[str, Any] = {"effect": "black_white"}


def photo(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "jpeg")
    return encoded.getvalue()


@pytest.fixture
def queries(stack: Stack) -> Iterator[BigQueryQueries]:
    queries = BigQueryQueries.connect(project=stack.project, emulator=stack.bigquery_url)
    yield queries
    queries.close()


@pytest.fixture
def heard() -> list[Notification]:
    """Every result that anybody was told of."""
    return []


@pytest.fixture
def notifications(stack: Stack, heard: list[Notification]) -> Iterator[Notifications]:
    with Notifications(stack.project, stack.pubsub, on_each=heard.append) as subscriber:
        yield subscriber


def test_a_warm_up_that_a_job_followed_is_recorded_for_what_it_added(
    shop: Shop, storefront: Storefront, notifications: Notifications, queries: BigQueryQueries
) -> None:
    beacon(shop, "file_chosen")
    until(shop.warmed_up, bool)
    job = storefront.upload(photo(1), "image/jpeg", [{}])
    notifications.wait_for(job.job_id, seconds=PATIENCE)
    _job_noted(shop)
    shop.tick()
    page = until(shop.page, lambda page: page.lines and not page.open)
    assert 0 <= page.nano_usd <= Worker().nano_usd(60), "the job came within the minute"

    sql = f"SELECT usd, gpu_seconds FROM `{shop.stack.project}.{DATASET}.cost_events` WHERE kind = 'warmup'"
    rows = until(lambda: queries.rows(sql, {}), bool)
    assert {row["usd"] for row in rows} == {Decimal(page.nano_usd).scaleb(-9)}


def test_a_popular_effect_is_made_at_night_and_is_a_hit_by_day(
    shop: Shop, storefront: Storefront, notifications: Notifications, heard: list[Notification]
) -> None:
    asked_for = storefront.upload(photo(2), "image/jpeg", [{}])
    waiting = storefront.upload(photo(3), "image/jpeg", [{}])
    for job in (asked_for, waiting):
        notifications.wait_for(job.job_id, seconds=PATIENCE)
    popular = storefront.restyle(asked_for, [GREY])
    notifications.wait_for(popular.job_id, seconds=PATIENCE)

    sent = until(lambda: _precompute(shop), lambda done: done["results"] > 0)
    assert sent["jobs"] >= 1
    until(lambda: _precompute(shop), lambda done: done["results"] == 0)
    restyled = storefront.restyle(waiting, [GREY])
    told = notifications.wait_for(restyled.job_id, seconds=PATIENCE).result
    assert [result.cache for result in told.results] == ["hit"]  # type: ignore[union-attr]  # it was completed
    known = {job.job_id for job in (asked_for, waiting, popular, restyled)}
    assert {each.result.job_id for each in heard} == known, "nobody is told of what was made in advance"
    assert 0 < _precompute(shop)["nano_usd"] <= 100_000_000


def test_jobs_and_recipes_are_known_from_the_cost_table(
    shop: Shop, storefront: Storefront, notifications: Notifications, queries: BigQueryQueries
) -> None:
    demand = RecordedDemand(queries, f"{shop.stack.project}.{DATASET}")
    before = _jobs_of_today(demand)
    jobs = [storefront.upload(photo(10 + seed), "image/jpeg", [{}, GREY]) for seed in range(3)]
    for job in jobs:
        notifications.wait_for(job.job_id, seconds=PATIENCE)
    assert until(lambda: _jobs_of_today(demand), lambda number: number == before + 3)
    requests = {each.recipe.effect: each.requests for each in demand.recipes_since(utc_now() - timedelta(days=1))}
    assert requests["black_white"] >= 3
    assert requests["none"] >= 3


def _jobs_of_today(demand: RecordedDemand) -> int:
    now = utc_now()
    return sum(count.jobs for count in demand.jobs_by_hour(now - timedelta(days=1), now).counts)


def _precompute(shop: Shop) -> Any:
    """Cloud Scheduler's call."""
    answer = asking.post(f"{shop.stack.events_url}/precompute")
    answer.raise_for_status()
    return answer.json()


def _job_noted(shop: Shop) -> None:
    """The worker remembers the minutes that it noted; the test took its objects away."""
    name = f"{activity_name(utc_now())}~job"
    shop.stack.store.create(shop.stack.buckets.jobs, name, b"", content_type="text/plain")
