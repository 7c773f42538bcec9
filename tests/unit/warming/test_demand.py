from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from events.recipe import Recipe
from planner.precompute import Demand
from planner.rates import History, HourCount
from warehouse.demand import RecordedDemand

if TYPE_CHECKING:
    from collections.abc import Mapping

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Answers:
    """`warehouse.ports.Queries` that says what it is told to."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self._rows = list(rows)
        self.asked: list[tuple[str, Mapping[str, datetime | str]]] = []

    def rows(self, sql: str, parameters: Mapping[str, datetime | str]) -> list[dict[str, Any]]:
        self.asked.append((sql, parameters))
        return self._rows


def test_hours_without_jobs_are_known_but_not_counted() -> None:
    answers = Answers({"hour": NOON - timedelta(hours=5), "jobs": 0}, {"hour": NOON - timedelta(hours=2), "jobs": 3})
    history = RecordedDemand(answers, "p.cutout").jobs_by_hour(NOON - timedelta(days=28), NOON)
    counts = (HourCount(NOON - timedelta(hours=2), 3),)
    assert history == History(since=NOON - timedelta(hours=5), until=NOON, counts=counts)
    [(sql, parameters)] = answers.asked
    assert "`p.cutout.cost_events`" in sql
    assert parameters == {"since": NOON - timedelta(days=28), "until": NOON}


def test_a_table_without_rows_says_nothing_of_the_past() -> None:
    assert RecordedDemand(Answers(), "d").jobs_by_hour(NOON - timedelta(days=1), NOON) == History(
        since=NOON, until=NOON
    )


def test_recipes_are_read_and_those_of_other_versions_left_out() -> None:
    answers = Answers(
        {"tenant": "acme", "recipe_json": '{"effect":"black_white"}', "requests": 40},
        {"tenant": "acme", "recipe_json": '{"effect":"no_longer_known"}', "requests": 30},
        {"tenant": "globex", "recipe_json": "{}", "requests": 20},
    )
    assert RecordedDemand(answers, "d").recipes_since(NOON) == [
        Demand("acme", Recipe(effect="black_white"), 40),
        Demand("globex", Recipe(), 20),
    ]
