"""From a known photo to the cheapest way to its results."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from events.errors import ConflictError, TransientError
from events.ids import content_id
from events.messages import JobRequested, Upload
from events.recipe import Recipe
from jobs.cache import Content, answer, confidence_of, look_up, result_of
from jobs.outcome import Spent, completed, function_cost
from jobs.records import Queued

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.envelope import Outgoing
    from events.messages import Cache, Lane
    from jobs.cache import Found
    from jobs.desk import JobDesk
    from jobs.outcome import JobRun
    from jobs.records import Outcome

__all__ = ["LANE_TOPICS", "Dispatch", "Dispatched", "Order", "job_message"]

_NOT_KEPT: Final = "the photo is no longer kept, and not all of these results exist: upload it again"

LANE_TOPICS: Final[dict[Lane, str]] = {"gpu": "jobs", "cpu": "renders"}


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a job is to make of which photo. `upload` is None where only a hit can answer it."""

    upload: Upload | None
    sha256: str
    recipes: tuple[Recipe, ...]
    requested_at: datetime


class Dispatched(NamedTuple):
    """What the cache answered, and what the caller still has to tell: its own cost, where the job went on."""

    cache: Cache
    cost: Outgoing | None


def job_message(run: JobRun, request: JobRequested, *, at: datetime) -> Outgoing:
    """The message that asks for the work, on the topic of its lane; the lane is part of its id."""
    return run.outgoing(request, LANE_TOPICS[request.lane], at=at, part=request.lane)


class Dispatch:
    """Answers a job from the cache, or sends it where it can be done, and records which."""

    def __init__(self, desk: JobDesk, *, model: str) -> None:
        self._desk = desk
        self._model = model

    def content(self, tenant: str, sha256: str) -> Content:
        return Content(tenant=tenant, content_id=content_id(self._desk.secret, tenant, sha256), model=self._model)

    def look_up(self, run: JobRun, content: Content, recipes: tuple[Recipe, ...]) -> tuple[Cache, Found]:
        """What the cache answers to this run of a job. Raises `TransientError` where it can't be asked."""
        measures, started = self._desk.measures, time.perf_counter()
        with self._desk.tracer.span("lookup", parent=run.traceparent) as span:
            try:
                found = look_up(self._desk.store, self._desk.buckets, content, recipes)
            except TransientError:
                measures.lookup_failed(run.source)
                raise
            cache = answer(found, recipes)
            span.set(cache=cache)
        measures.looked_up(run.source, cache, time.perf_counter() - started)
        return cache, found

    def check(self, content: Content, order: Order) -> None:
        """Raises `ConflictError` if the photo is needed, but gone. Writes nothing."""
        if order.upload is None:
            found = look_up(self._desk.store, self._desk.buckets, content, order.recipes)
            if answer(found, order.recipes) != "hit":
                raise ConflictError(_NOT_KEPT)

    def dispatch(
        self,
        run: JobRun,
        order: Order,
        *,
        spent: Callable[[], Spent],
        timings: dict[str, float],
        held: bool = True,
    ) -> Dispatched:
        """`held` is as in `References.add`.

        Raises `TransientError` while the photo is being deleted, `ConflictError` if it is needed, but gone.
        """
        content = self.content(run.tenant, order.sha256)
        self._desk.references.add(run.tenant, content.content_id, run.job_id, held=held)
        cache, found = self.look_up(run, content, order.recipes)
        if cache == "hit":
            self.answer_hit(run, order, content, found, spent=spent, timings=timings)
            return Dispatched(cache, None)
        lane: Lane = "cpu" if cache == "matte" else "gpu"
        return Dispatched(cache, self._send(run, order, content, lane, spent=spent, timings=timings))

    def answer_hit(
        self,
        run: JobRun,
        order: Order,
        content: Content,
        found: Found,
        *,
        spent: Callable[[], Spent],
        timings: dict[str, float],
    ) -> Outcome:
        """End the job with results that exist. The record comes first: a deletion needs to know the content."""
        self._queue(run, order, content, lane=None)
        stats = [found.results[recipe] for recipe in order.recipes]
        outcome = completed(
            run,
            at=self._desk.clock(),
            results=tuple(
                result_of(recipe, self._desk.buckets.results, stat, "hit")
                for recipe, stat in zip(order.recipes, stats, strict=True)
            ),
            model=content.model,
            lane=None,
            confidence=confidence_of(stats),
            timings=timings,
            requested_at=order.requested_at,
            spent=spent(),
        )
        told = self._desk.settlement.complete(run, outcome)
        if told is None:  # whoever dispatched the job sees to the deletion
            return outcome
        seconds = (told.ended_at - order.requested_at).total_seconds()
        self._desk.measures.retrieved("hit", seconds, told.nano_usd / 1e9)
        return told

    def _send(
        self,
        run: JobRun,
        order: Order,
        content: Content,
        lane: Lane,
        *,
        spent: Callable[[], Spent],
        timings: dict[str, float],
    ) -> Outgoing:
        """Ask for the work; the cost of that, which comes second so that no photo waits for it."""
        if order.upload is None:
            raise ConflictError(_NOT_KEPT)
        request = JobRequested(
            job_id=run.job_id,
            tenant=run.tenant,
            upload=order.upload,
            sha256=order.sha256,
            recipes=order.recipes,
            model=content.model,
            lane=lane,
            requested_at=order.requested_at,
            run=run.run,
            timings=timings,
        )
        now = self._desk.clock()
        message, cost = job_message(run, request, at=now), function_cost(run, spent(), at=now)
        queued = self._queue(run, order, content, lane=lane, message=message, cost=cost)
        self._desk.settlement.publish([queued.message or message])
        return queued.cost or cost

    def _queue(
        self,
        run: JobRun,
        order: Order,
        content: Content,
        *,
        lane: Lane | None,
        message: Outgoing | None = None,
        cost: Outgoing | None = None,
    ) -> Queued:
        queued = Queued(
            upload=order.upload,
            sha256=order.sha256,
            content_id=content.content_id,
            lane=lane,
            requested_at=order.requested_at,
            message=message,
            cost=cost,
        )
        return self._desk.records.create_or_read(run.tenant, run.job_id, "queued", queued)
