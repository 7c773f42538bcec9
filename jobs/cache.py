"""The three answers of the cache: `hit`, `matte`, `miss`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from events.messages import ObjectRef, Result
from events.names import matte_name, result_name, result_prefix
from events.recipe import Recipe
from jobs.ports import ObjectStat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from events.messages import Cache
    from jobs.places import Buckets
    from jobs.ports import ObjectStore

__all__ = ["Content", "Found", "answer", "confidence_of", "look_up", "overall_cache", "result_of", "result_status"]


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """One photo of one tenant as one model sees it: all that a cached object's name depends on."""

    tenant: str
    content_id: str
    model: str

    @property
    def matte(self) -> str:
        return matte_name(self.tenant, self.content_id, self.model)

    def result(self, recipe: Recipe) -> str:
        return result_name(self.tenant, self.content_id, self.model, recipe)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What there is, by recipe, and the matte. `matte` is looked for only when a result is missing."""

    results: Mapping[Recipe, ObjectStat]
    matte: ObjectStat | None


def look_up(store: ObjectStore, buckets: Buckets, content: Content, recipes: Sequence[Recipe]) -> Found:
    """One listing finds all results; the matte costs a second request only when one is missing."""
    prefix = result_prefix(content.tenant, content.content_id, content.model)
    stats = {stat.name: stat for stat in store.list(buckets.results, prefix)}
    results = {recipe: stats[name] for recipe in recipes if (name := content.result(recipe)) in stats}
    complete = len(results) == len(set(recipes))
    return Found(results=results, matte=None if complete else store.stat(buckets.mattes, content.matte))


def answer(found: Found, recipes: Sequence[Recipe]) -> Cache:
    """`hit` if every recipe has its result, `matte` if the expensive part exists, else `miss`."""
    if all(recipe in found.results for recipe in recipes):
        return "hit"
    return "miss" if found.matte is None else "matte"


def result_status(stat: ObjectStat, job_id: str) -> Cache:
    """A job that finds its own earlier work after a crash reports what it was, not a hit."""
    if stat.metadata.get("job-id") != job_id:
        return "hit"
    return "matte" if stat.metadata.get("cache") == "matte" else "miss"


def result_of(recipe: Recipe, bucket: str, stat: ObjectStat, status: Cache) -> Result:
    """A stored result as an event tells it; its size in pixels stands in its metadata."""
    return Result(
        recipe=recipe,
        object=ObjectRef(bucket=bucket, name=stat.name),
        content_type=stat.content_type,
        width=int(stat.metadata["width"]),
        height=int(stat.metadata["height"]),
        bytes=stat.size,
        cache=status,
    )


def confidence_of(stats: Sequence[ObjectStat]) -> float:
    """All results of one content share their matte, and so its confidence."""
    return float(stats[0].metadata.get("confidence", "0"))


def overall_cache(results: Iterable[Result]) -> Cache:
    """The dearest answer that any of a job's results needed."""
    answers = {result.cache for result in results}
    return "miss" if "miss" in answers else "matte" if "matte" in answers else "hit"
