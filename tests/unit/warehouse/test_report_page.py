from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from events.recipe import Color, Crop, Recipe
from local.cost_views import CostFigures, recipe_label
from local.report_charts import charts
from local.report_page import cell, money, page, tiles

if TYPE_CHECKING:
    from local.cost_views import Rows

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def figures(**changes: Any) -> CostFigures:
    empty: dict[str, Any] = {key: [] for key in ("by_day", "cache", "by_hour", "warming", "recipes")}
    latency = {"jobs": 0, "p50_seconds": None, "p95_seconds": None}
    return CostFigures(**(empty | {"since": NOON - timedelta(days=29), "until": NOON, "latency": latency} | changes))


def days(*usd: str) -> Rows:
    kinds = dict.fromkeys(("gpu_usd", "cpu_usd", "function_usd", "warmup_usd"), Decimal(0))
    return [
        {
            "day": date(2026, 11, 1 + number),
            "images": 10,
            "idle_usd": Decimal(amount),
            "catalogue_usd": Decimal(0),
            "usd": Decimal(amount),
            "usd_per_image": Decimal(amount) / 10,
            "usd_per_image_of_jobs": None,
            **kinds,
        }
        for number, amount in enumerate(usd)
    ]


def test_a_time_without_costs_is_said_to_be_empty() -> None:
    text = page(figures(), source="p.d", read_at=NOON)
    assert text.count("Nothing recorded in this time.") == len(charts(figures()))
    assert "<svg" not in text
    assert [str(value) for _, value in tiles(figures())] == ["0 USD", "0", "-", "-", "-", "-", "-"]


def test_figures_of_the_whole_time_are_weighted_and_no_means_of_days() -> None:
    cache = [{"answers": 90, "hits": 45}, {"answers": 10, "hits": 0}]
    hours = [
        {"worker_jobs": 1, "cold_starts": 1},
        {"worker_jobs": 3, "cold_starts": 0},
        {"worker_jobs": 0, "cold_starts": 0},
    ]
    seen = figures(by_day=days("1", "2"), cache=cache, by_hour=hours)
    assert (seen.usd, seen.images, seen.usd_per_image) == (Decimal(3), 20, Decimal("0.15"))
    assert (seen.hit_rate, seen.cold_start_share) == (0.45, 0.25)


def test_a_catalogue_makes_no_image_of_a_shopper_dearer() -> None:
    [day] = days("3")
    seen = figures(by_day=[day | {"catalogue_usd": Decimal(2)}])
    assert (seen.usd, seen.usd_per_image) == (Decimal(3), Decimal("0.1"))


def test_charts_take_their_colours_from_the_style_sheet() -> None:
    svg = charts(figures(by_day=days("1", "2", "3")))[0].svg
    assert svg is not None
    assert "var(--series-4)" in svg
    assert "#0" not in svg
    assert svg.startswith("<svg ")
    assert 'role="img" aria-label="Cost by day"' in svg


def test_the_same_figures_make_the_same_page() -> None:
    pages = {page(figures(by_day=days("1", "2")), source="p.d", read_at=NOON) for _ in range(2)}
    assert len(pages) == 1


def test_charts_of_hours_end_where_nothing_was_recorded() -> None:
    hours = [
        {
            "hour": NOON - timedelta(hours=back),
            "worker_jobs": 1,
            "cold_starts": 0,
            "cold_start_share": 0.0,
            **dict.fromkeys(("p50_seconds", "p95_seconds", "p99_seconds"), 1.0),
        }
        for back in (100, 9, 8, 3, 2)
    ]
    latency = charts(figures(by_hour=hours))[4]
    assert latency.title == "Latency"
    assert [row["hour"].hour for row in latency.rows] == [3, 4, 9, 10]
    assert latency.svg is not None
    assert latency.svg.count('<g id="line2d') >= 2 * len(latency.series)


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("0", "0"),
        ("1234.567", "1,234.57"),
        ("0.5", "0.500"),
        ("0.0011841", "0.00118"),
        ("0.0000004", "0.000000400"),
        ("0.000000001", "0.000000001"),
        ("-0.25", "-0.250"),
    ],
)
def test_small_amounts_keep_three_digits(amount: str, written: str) -> None:
    assert money(Decimal(amount)) == written


def test_a_value_of_a_view_is_written_by_its_kind() -> None:
    values = [None, NOON, NOON.date(), Decimal("0.5"), 0.25, 7, "acme"]
    assert [cell(value) for value in values] == ["-", "23 Nov 12:00", "23 Nov", "0.500", "0.250", "7", "acme"]


@pytest.mark.parametrize(
    ("recipe", "label"),
    [
        (Recipe(), "cutout, png"),
        (Recipe(format="mask"), "cutout, mask"),
        (Recipe(effect="black_white", crop=Crop(), max_side=800), "black_white, png, crop 0%, 800 px"),
        (Recipe(background=Color(color="#ffffff"), format="jpg", crop=Crop(margin=5)), "cutout, jpg, #ffffff, crop 5%"),
    ],
)
def test_a_recipe_is_told_in_a_few_words(recipe: Recipe, label: str) -> None:
    assert recipe_label(recipe.canonical().decode()) == label


def test_what_made_no_result_has_no_recipe() -> None:
    assert recipe_label(None) == "checks and failures"
