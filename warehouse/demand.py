"""What shoppers asked for, as the cost table knows it: when jobs came, and which recipes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from events.errors import CutoutError
from events.recipe import Recipe
from events.validation import decode_json
from planner.precompute import Demand
from planner.rates import History, HourCount
from warehouse.sql import query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from warehouse.ports import Queries

__all__ = ["RecordedDemand"]

_LOG: Final = logging.getLogger(__name__)


class RecordedDemand:
    """`jobs.rates.JobHistory` and `functions.precompute.RecipeDemand` of the cost table in `dataset`."""

    def __init__(self, queries: Queries, dataset: str) -> None:
        self._queries = queries
        self._dataset = dataset

    def jobs_by_hour(self, since: datetime, until: datetime) -> History:
        sql = query("jobs_by_hour", self._dataset)
        rows = self._queries.rows(sql, {"since": since, "until": until})
        counts = tuple(HourCount(row["hour"], row["jobs"]) for row in rows)
        known_since = counts[0].hour if counts else until
        return History(since=known_since, until=until, counts=tuple(count for count in counts if count.jobs))

    def recipes_since(self, moment: datetime) -> list[Demand]:
        rows = self._queries.rows(query("popular_recipes", self._dataset), {"since": moment})
        return list(_demands(rows))


def _demands(rows: list[dict[str, object]]) -> Iterator[Demand]:
    """A recipe that this version can't read any more is left out."""
    for row in rows:
        try:
            recipe = decode_json(str(row["recipe_json"]), Recipe)
        except CutoutError as error:
            _LOG.info("recipe_unknown", extra={"recipe": row["recipe_json"], "error": error.message})
            continue
        yield Demand(str(row["tenant"]), recipe, int(str(row["requests"])))
