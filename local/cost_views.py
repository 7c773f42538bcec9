"""What the views of the cost table say about a time, as one value: for the report, and for the demo's last page."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import msgspec

from warehouse.sql import query

if TYPE_CHECKING:
    from datetime import datetime

    from warehouse.ports import Queries

__all__ = ["CostFigures", "Rows", "recipe_label"]

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFigures:
    """Rows of each view in order of time, recipes from the dearest on. `latency` is over the whole time."""

    since: datetime
    until: datetime
    by_day: Rows
    cache: Rows
    by_hour: Rows
    warming: Rows
    recipes: Rows
    latency: dict[str, Any]

    @classmethod
    def read(cls, queries: Queries, dataset: str, since: datetime, until: datetime) -> Self:
        """Whole days and hours (UTC) that begin from `since` on. Raises `TransientError`, `PermanentError`."""

        def rows(name: str, view: str = "") -> Rows:
            return queries.rows(query(name, dataset, view=view), {"since": since, "until": until})

        return cls(
            since=since,
            until=until,
            by_day=rows("view_by_day", "cost_per_image_by_day"),
            cache=rows("view_by_day", "cache_answers_by_day"),
            by_hour=rows("view_by_hour", "latency_by_hour"),
            warming=rows("view_by_day", "warm_up_return_by_day"),
            recipes=rows("dearest_recipes"),
            latency=rows("latency")[0],
        )

    @property
    def usd(self) -> Decimal:
        return sum((row["usd"] for row in self.by_day), Decimal(0))

    @property
    def images(self) -> int:
        return sum(row["images"] for row in self.by_day)

    @property
    def usd_per_image(self) -> Decimal | None:
        """Without what catalogues cost, whose images are not counted."""
        catalogues = sum((row["catalogue_usd"] for row in self.by_day), Decimal(0))
        return (self.usd - catalogues) / self.images if self.images else None

    @property
    def hit_rate(self) -> float | None:
        answers = sum(row["answers"] for row in self.cache)
        return sum(row["hits"] for row in self.cache) / answers if answers else None

    @property
    def cold_start_share(self) -> float | None:
        jobs = sum(row["worker_jobs"] for row in self.by_hour)
        return sum(row["cold_starts"] for row in self.by_hour) / jobs if jobs else None


def recipe_label(recipe_json: str | None) -> str:
    """A recipe in a few words: `black_white, jpg, #ffffff, crop 5%, 800 px`."""
    if recipe_json is None:
        return "checks and failures"
    recipe = msgspec.json.decode(recipe_json, type=dict[str, Any])
    background, crop = recipe.get("background") or {}, recipe.get("crop")
    parts = [
        recipe.get("effect", "cutout"),
        recipe.get("format", "png"),
        background.get("color", background.get("kind", "")),
        "" if crop is None else f"crop {crop.get('margin', 0)}%",
        f"{recipe['max_side']} px" if recipe.get("max_side") else "",
    ]
    return ", ".join(part for part in parts if part)
