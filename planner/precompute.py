"""Which results to make before anybody asks: the popular recipes, for the newest photos, as far as the money goes."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from events.recipe import Recipe

__all__ = ["Demand", "fair_order", "popular"]

T = TypeVar("T")


class Demand(NamedTuple):
    """How often a tenant's shoppers asked for a recipe."""

    tenant: str
    recipe: Recipe
    requests: int


def popular(demand: Iterable[Demand], *, most: int, at_least: int) -> dict[str, tuple[Recipe, ...]]:
    """Each tenant's recipes that were asked for often enough, the most popular ones first."""
    by_tenant: defaultdict[str, list[Demand]] = defaultdict(list)
    for each in demand:
        if each.requests >= at_least:
            by_tenant[each.tenant].append(each)
    return {
        tenant: tuple(each.recipe for each in sorted(asked, key=_rank)[:most])
        for tenant, asked in sorted(by_tenant.items())
    }


def fair_order(by_tenant: Mapping[str, Sequence[T]]) -> list[T]:
    """One of each tenant, then the next of each: a large tenant does not use up what is meant for all."""
    rounds = zip_longest(*by_tenant.values())
    return [each for each in chain.from_iterable(rounds) if each is not None]


def _rank(demand: Demand) -> tuple[int, bytes]:
    return -demand.requests, demand.recipe.canonical()
