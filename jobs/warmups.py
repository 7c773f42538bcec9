"""Warm-ups as they stand in the ledger, and the messages about them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import msgspec

from events.envelope import Event, Outgoing
from events.ids import event_id
from events.messages import CostRecorded, Message, WarmupRequested
from events.trace import new_traceparent
from planner.warmups import Warmup, total

if TYPE_CHECKING:
    from jobs.ledger import Line, Page
    from planner.budget import Spent
    from planner.worker import Worker

__all__ = ["BookedWarmup", "cost_message", "last_request", "spent", "warmup_message"]


class BookedWarmup(msgspec.Struct, frozen=True, kw_only=True):
    """`key` is the trigger that made the decision: delivered again, it does not make another."""

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    warmup: Warmup

    @property
    def nano_usd(self) -> int:
        return self.warmup.nano_usd


def spent(page: Page[BookedWarmup]) -> Spent:
    """What the day's warm-ups came to, or may come to."""
    return total((line.entry.warmup.cause, line.nano_usd) for line in page.lines)


def last_request(page: Page[BookedWarmup]) -> datetime | None:
    """When a warm-up was last asked for, if that was yesterday or today."""
    return max((line.entry.warmup.at for line in (*page.before, *page.lines)), default=None)


def warmup_message(warmup: Warmup, region: str) -> Outgoing:
    """What the worker is sent. The id is that of the region and minute."""
    data = WarmupRequested(reason=warmup.cause, at=warmup.at)
    return _outgoing(data, warmup, region, "warmups")


def cost_message(line: Line[BookedWarmup], seconds: float, worker: Worker, region: str) -> Outgoing:
    """What a settled warm-up added to the bill, told once: its revision stays 0."""
    warmup = line.entry.warmup
    usage = worker.usage(seconds)
    cost = CostRecorded(
        occurred_at=warmup.at,
        kind="warmup",
        region=region,
        usd=worker.price(seconds),
        price_version=worker.prices.version,
        gpu_seconds=usage.gpu_seconds,
        vcpu_seconds=usage.vcpu_seconds,
        gib_seconds=usage.gib_seconds,
    )
    return _outgoing(cost, warmup, region, "costs")


def _outgoing(data: Message, warmup: Warmup, region: str, topic: str) -> Outgoing:
    minute = warmup.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")
    return Event(
        id=event_id(f"{region}/{minute}", data.type, "warmup"),
        source="//cutout/warm",
        subject=region,
        time=warmup.at,
        traceparent=new_traceparent(),
        data=data,
    ).outgoing(topic)
