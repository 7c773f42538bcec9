"""The SQL files of this package: views in the order of their making, and queries.

They name their dataset as `${dataset}`, which Terraform's `templatefile` fills in just so.
"""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Final

__all__ = ["VIEWS", "query", "view"]

VIEWS: Final = (
    "costs",
    "cost_per_image_by_day",
    "cache_answers_by_day",
    "latency_by_hour",
    "warm_up_return_by_day",
    "cost_by_tenant_and_recipe",
)
"""`costs` is read by the others."""

_FOLDER: Final = Path(__file__).parent


def view(name: str, dataset: str) -> str:
    """What the view of that name selects; `dataset` may begin with a project and a dot."""
    return _filled(_FOLDER / "views" / f"{name}.sql", dataset=dataset)


def query(name: str, dataset: str, **names: str) -> str:
    """A query with `@name` parameters. `names` are further names that it leaves open, never values."""
    return _filled(_FOLDER / "queries" / f"{name}.sql", dataset=dataset, **names)


def _filled(path: Path, **names: str) -> str:
    return Template(path.read_text()).substitute(names)
