"""What an hour of the worker cost besides its jobs: the bill's remainder, as idle time and as warming.

An instance is billed for its whole life, jobs for their part of its busy time. What is left is the time it was
starting or waiting; what it was kept for is told by the last request before.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from events.envelope import Event
from events.ids import event_id
from events.messages import CostRecorded
from events.prices import Usage
from events.trace import new_traceparent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.costs import Billing

__all__ = ["HOUR", "KEEP_ALIVE", "RecordedHour", "Request", "Revision", "cost_event", "reconcile", "warming_share"]

HOUR: Final = timedelta(hours=1)
KEEP_ALIVE: Final = timedelta(minutes=10)
"""Cloud Run keeps an idle instance at most this long after its last request."""

_NUMERIC: Final = Decimal("0.000000001")

Kind = Literal["idle", "warmup"]


class Request(NamedTuple):
    """Something that an instance is kept alive for: a job or a warm-up, at its end."""

    at: datetime
    warm_up: bool


class Revision(NamedTuple):
    """The newest revision that the table has of one kind of an hour, and its USD."""

    number: int
    usd: Decimal


class RecordedHour(msgspec.Struct, frozen=True, kw_only=True):
    """What the table knows of an hour: the cost of its jobs, and what was reconciled before."""

    jobs_usd: Decimal = Decimal(0)
    jobs: Usage = Usage()
    idle: Revision | None = None
    warmup: Revision | None = None


def reconcile(
    hour: datetime, billed_seconds: float, billing: Billing, recorded: RecordedHour, requests: Sequence[Request]
) -> list[CostRecorded]:
    """The revisions that make the hour's costs add up to its bill; none where they do already.

    `requests` in order of time, from `KEEP_ALIVE` before the hour on. Where more was recorded than billed (the bill
    comes late, or a job that ended in this hour began in the last), nothing is left over: no cost is negative.
    """
    billed = billing.usage(billed_seconds)
    left_usd = max(Decimal(0), billing.price(billed) - recorded.jobs_usd)
    left = Usage(
        gpu_seconds=max(0.0, billed.gpu_seconds - recorded.jobs.gpu_seconds),
        vcpu_seconds=max(0.0, billed.vcpu_seconds - recorded.jobs.vcpu_seconds),
        gib_seconds=max(0.0, billed.gib_seconds - recorded.jobs.gib_seconds),
    )
    share = warming_share(hour, requests)
    warmup_usd = (left_usd * Decimal(repr(share))).quantize(_NUMERIC, ROUND_HALF_EVEN)
    parts: tuple[tuple[Kind, Decimal, float, Revision | None], ...] = (
        ("idle", left_usd - warmup_usd, 1.0 - share, recorded.idle),
        ("warmup", warmup_usd, share, recorded.warmup),
    )
    if not billed_seconds and recorded.idle is None and recorded.warmup is None:
        return []
    return [
        CostRecorded(
            occurred_at=hour,
            kind=kind,
            region=billing.region,
            usd=usd,
            price_version=billing.prices.version,
            gpu_seconds=round(left.gpu_seconds * part, 6),
            vcpu_seconds=round(left.vcpu_seconds * part, 6),
            gib_seconds=round(left.gib_seconds * part, 6),
            revision=0 if newest is None else newest.number + 1,
        )
        for kind, usd, part, newest in parts
        if newest is None or newest.usd != usd
    ]


def warming_share(hour: datetime, requests: Sequence[Request]) -> float:
    """The part of the hour's waiting, from 0 to 1, in which the last request was a warm-up.

    A job ends what a warm-up began: the time after it would have been paid without the warm-up too. Where no request
    says what an instance was there for, it was idle.
    """
    waited = {False: 0.0, True: 0.0}
    nexts = [request.at for request in requests[1:]]
    for request, following in zip(requests, [*nexts, hour + HOUR], strict=False):
        start = max(hour, request.at)
        end = min(hour + HOUR, following, request.at + KEEP_ALIVE)
        waited[request.warm_up] += max(0.0, (end - start).total_seconds())
    total = waited[False] + waited[True]
    return waited[True] / total if total else 0.0


def cost_event(cost: CostRecorded) -> Event[CostRecorded]:
    """The event of a revision. Made again, it has the same id, so that the table counts it once."""
    part = f"{cost.occurred_at.isoformat()} {cost.kind}"
    return Event(
        id=event_id(cost.region, CostRecorded.type, part, cost.revision or 0),
        source="//cutout/reconcile_idle",
        subject=f"{cost.region}/{cost.occurred_at:%Y-%m-%dT%H}",
        time=cost.occurred_at,
        traceparent=new_traceparent(),
        data=cost,
    )
