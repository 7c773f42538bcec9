"""The cost table's views on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from local.cost_views import recipe_label
from local.report_page import cell, tiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from local.cost_views import CostFigures, Rows

__all__ = ["print_costs"]

_BY_DAY = ("day", "images", "results", "gpu_usd", "cpu_usd", "function_usd", "idle_usd", "warmup_usd", "usd")
_CACHE = ("day", "answers", "hits", "mattes", "misses", "hit_rate")
_WARMING = ("day", "warm_ups", "served_warm", "served_cold", "usd", "usd_per_job_served_warm")
_DAYS_SHOWN = 14
_TEXTS = frozenset({"day", "tenant", "recipe"})
_RECIPES = ("tenant", "recipe", "results", "usd", "usd_per_result")


def print_costs(console: Console, figures: CostFigures) -> None:
    """All but the hours, which are for a chart, and of long times the last days."""
    for table in _tables(figures):
        console.print(table)
    console.print("  ".join(f"{name}: [bold]{value}[/]" for name, value in tiles(figures)))


def _tables(figures: CostFigures) -> Iterator[Table]:
    yield _table("USD by day", _BY_DAY, figures.by_day[-_DAYS_SHOWN:])
    yield _table("cache answers by day", _CACHE, figures.cache[-_DAYS_SHOWN:])
    if figures.warming:
        yield _table("return of warming by day", _WARMING, figures.warming[-_DAYS_SHOWN:])
    recipes = [row | {"recipe": recipe_label(row["recipe_json"])} for row in figures.recipes]
    yield _table("by tenant and recipe", _RECIPES, recipes)


def _table(title: str, columns: tuple[str, ...], rows: Rows) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        heading = column.removesuffix("_usd").replace("_", " ")
        table.add_column(heading, justify="left" if column in _TEXTS else "right")
    for row in rows:
        table.add_row(*(cell(row[column]) for column in columns))
    return table
