"""How a run of a job ends, as a value: the result event and what it cost. Nothing is written or sent here."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from events.envelope import decode_result, job_event
from events.messages import CostRecorded, Lane, ResultCompleted, ResultFailed
from events.prices import Usage
from jobs.costs import Billing
from jobs.records import Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from events.envelope import Outgoing
    from events.errors import CutoutError
    from events.messages import Message, Result

__all__ = ["JobRun", "Spent", "completed", "failed", "function_cost", "told_result"]


class JobRun(msgspec.Struct, frozen=True, kw_only=True):
    """Which run of which job, and which part of the system is at it."""

    job_id: str
    tenant: str
    run: int
    source: str
    traceparent: str

    def outgoing(self, data: Message, topic: str, *, at: datetime, part: str = "") -> Outgoing:
        return job_event(
            data,
            tenant=self.tenant,
            job_id=self.job_id,
            part=part,
            run=self.run,
            source=self.source,
            time=at,
            traceparent=self.traceparent,
        ).outgoing(topic)


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of a job used, and how it is billed. `lane` is where it was done, if it had to be."""

    usage: Usage
    billing: Billing
    lane: Lane | None = None
    speculative: bool = False
    batch_size: int | None = None
    cold_start: bool | None = None
    megapixels: float | None = None


def completed(
    run: JobRun,
    *,
    at: datetime,
    results: tuple[Result, ...],
    model: str,
    lane: Lane | None,
    confidence: float,
    timings: dict[str, float],
    requested_at: datetime,
    spent: Spent,
) -> Outcome:
    """The completed event, and one cost record for each recipe: together they cost what the run cost.

    A recipe that was asked for twice has two results, which are one object, and one cost.
    """
    latency = max(0.0, (at - requested_at).total_seconds())
    distinct = {result.recipe: result for result in results}
    costs = [
        _cost(run, spent, at=at, model=model, result=result, parts=len(distinct), latency=latency)
        for result in distinct.values()
    ]
    total = sum((cost.usd for cost in costs), Decimal(0))
    event = ResultCompleted(
        job_id=run.job_id,
        tenant=run.tenant,
        model=model,
        results=results,
        confidence=confidence,
        lane=lane,
        cold_start=bool(spent.cold_start),
        timings=timings,
        cost_usd=total,
        requested_at=requested_at,
        completed_at=at,
        run=run.run,
    )
    told = [run.outgoing(event, "results", at=at)]
    told += [run.outgoing(cost, "costs", at=at, part=f"{cost.kind}:{cost.recipe}") for cost in costs]
    return Outcome(messages=tuple(told), ended_at=at, nano_usd=_nano(total))


def failed(
    run: JobRun, error: CutoutError, *, at: datetime, model: str | None = None, spent: Spent | None = None
) -> Outcome:
    """The failed event, and a cost record where the attempt cost something."""
    event = ResultFailed(
        job_id=run.job_id,
        tenant=run.tenant,
        code=error.code,
        message=error.message,
        retryable=error.retryable,
        failed_at=at,
        run=run.run,
    )
    told = [run.outgoing(event, "results", at=at)]
    total = Decimal(0)
    if spent is not None:
        cost = _cost(run, spent, at=at, model=model)
        told.append(run.outgoing(cost, "costs", at=at, part=f"{cost.kind}:failed"))
        total = cost.usd
    return Outcome(messages=tuple(told), ended_at=at, nano_usd=_nano(total))


def function_cost(run: JobRun, spent: Spent, *, at: datetime) -> Outgoing:
    """What a function cost that only passed a job on; its part of the id is the function's name."""
    cost = _cost(run, spent, at=at, model=None)
    return run.outgoing(cost, "costs", at=at, part=f"function:{run.source}")


def told_result(outcome: Outcome) -> ResultCompleted | ResultFailed:
    """What the result event among the messages of an outcome says."""
    message = next(message for message in outcome.messages if message.topic == "results")
    return decode_result(message.data, message.attributes).data


def _cost(
    run: JobRun,
    spent: Spent,
    *,
    at: datetime,
    model: str | None,
    result: Result | None = None,
    parts: int = 1,
    latency: float | None = None,
) -> CostRecorded:
    """One of `parts` equal records of what was spent."""
    usage = spent.usage / parts
    return CostRecorded(
        occurred_at=at,
        kind=spent.billing.kind,
        region=spent.billing.region,
        usd=spent.billing.price(usage, requests=Decimal(1) / parts),
        price_version=spent.billing.prices.version,
        gpu_seconds=round(usage.gpu_seconds, 9),
        vcpu_seconds=round(usage.vcpu_seconds, 9),
        gib_seconds=round(usage.gib_seconds, 9),
        job_id=run.job_id,
        tenant=run.tenant,
        model=model,
        recipe=None if result is None else result.recipe.digest(),
        recipe_json=None if result is None else result.recipe.canonical().decode(),
        cache=None if result is None else result.cache,
        lane=spent.lane,
        speculative=spent.speculative,
        batch_size=spent.batch_size,
        cold_start=spent.cold_start,
        megapixels=spent.megapixels,
        latency_seconds=latency,
    )


def _nano(usd: Decimal) -> int:
    return int(usd.scaleb(9))
