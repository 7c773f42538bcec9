"""Whether the cost table holds what the jobs said they cost."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from local.cost_tables import print_costs
from local.cost_views import CostFigures
from warehouse.sql import query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from warehouse.ports import Queries

__all__ = ["costs_agree"]

_PATIENCE: Final = 30.0
_PAUSE: Final = 0.5


def costs_agree(queries: Queries, dataset: str, told: Mapping[str, Decimal], console: Console) -> bool:
    """Wait until the jobs' costs (told in USD, by id) are in the views, print these, and compare to the last digit.

    A job's costs arrive one for each recipe. What the functions cost that only passed it on is no part of its price.
    """
    recorded = _recorded(queries, dataset, told)
    now = datetime.now(UTC)
    print_costs(console, CostFigures.read(queries, dataset, now - timedelta(days=1), now))
    wrong = {job_id: usd for job_id, usd in told.items() if recorded.get(job_id) != usd}
    for job_id, usd in wrong.items():
        console.print(f"[red]job {job_id} cost {usd} USD, BigQuery has {recorded.get(job_id, 'nothing')}")
    total = sum(told.values(), Decimal(0))
    if not wrong:
        console.print(f"BigQuery has the cost of all {len(told)} jobs: {total} USD, equal to the last digit")
    return not wrong


def _recorded(queries: Queries, dataset: str, told: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """USD by job, once it is what was told, or when the patience ends."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        rows = queries.rows(query("usd_of_results", dataset), {})
        recorded = {row["job_id"]: row["usd"] for row in rows}
        if all(recorded.get(job_id) == usd for job_id, usd in told.items()) or time.monotonic() > deadline:
            return recorded
        time.sleep(_PAUSE)
