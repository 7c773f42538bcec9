from __future__ import annotations

from events.recipe import Color, Recipe
from planner.precompute import Demand, fair_order, popular

PLAIN = Recipe()
WHITE = Recipe(background=Color(color="#ffffff"))
GREY = Recipe(effect="black_white")


def test_a_tenants_most_popular_recipes_come_first() -> None:
    demand = [Demand("acme", PLAIN, 5), Demand("acme", GREY, 40), Demand("acme", WHITE, 20)]
    assert popular(demand, most=2, at_least=1) == {"acme": (GREY, WHITE)}


def test_what_few_asked_for_is_not_popular() -> None:
    assert popular([Demand("acme", GREY, 9)], most=3, at_least=10) == {}


def test_each_tenant_has_its_own_taste() -> None:
    demand = [Demand("acme", PLAIN, 5), Demand("globex", GREY, 4)]
    assert popular(demand, most=1, at_least=1) == {"acme": (PLAIN,), "globex": (GREY,)}


def test_recipes_of_equal_demand_come_in_a_fixed_order() -> None:
    demand = [Demand("acme", recipe, 5) for recipe in (GREY, PLAIN, WHITE)]
    assert popular(demand, most=3, at_least=1) == popular(reversed(demand), most=3, at_least=1)


def test_tenants_take_turns() -> None:
    assert fair_order({"a": ["a1", "a2", "a3"], "b": ["b1"], "c": []}) == ["a1", "b1", "a2", "a3"]
