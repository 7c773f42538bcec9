"""Warm-ups as they stand in the ledger, and the messages about them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import msgspec

from events.envelope import Event, Outgoing
from events.ids import event_id
from events.messages import CostRecorded, Message, WarmupRequested
from planner.warmups import Warmup, total

if TYPE_CHECKING:
    from jobs.ledger import Page
    from planner.budget import Spent
    from planner.worker import Worker

__all__ = ["BookedWarmup", "cost_message", "last_request", "spent", "warmup_message"]


class BookedWarmup(msgspec.Struct, frozen=True, kw_only=True):
    """`key` is the trigger that made the decision: delivered again, it does not make another."""

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    warmup: Warmup
    traceparent: str

    @property
    def nano_usd(self) -> int:
        return self.warmup.nano_usd


def spent(page: Page[BookedWarmup]) -> Spent:
    """What the day's warm-ups came to, or may come to."""
    return total((line.entry.warmup.cause, line.nano_usd) for line in page.lines)


def last_request(page: Page[BookedWarmup]) -> datetime | None:
    """When a warm-up was last asked for, if that was yesterday or today."""
    return max((line.entry.warmup.at for line in (*page.before, *page.lines)), default=None)


def warmup_message(booked: BookedWarmup, region: str) -> Outgoing:
    """What the worker is sent, the same every time. Its id is that of the region and minute."""
    data = WarmupRequested(reason=booked.warmup.cause, at=booked.warmup.at)
    return _outgoing(data, booked, region, "warmups")


def cost_message(booked: BookedWarmup, seconds: float, worker: Worker, region: str) -> Outgoing:
    """What a settled warm-up added to the bill by this reckoning, under the id of the region and minute."""
    usage = worker.usage(seconds)
    cost = CostRecorded(
        occurred_at=booked.warmup.at,
        kind="warmup",
        region=region,
        usd=worker.price(seconds),
        price_version=worker.prices.version,
        gpu_seconds=usage.gpu_seconds,
        vcpu_seconds=usage.vcpu_seconds,
        gib_seconds=usage.gib_seconds,
    )
    return _outgoing(cost, booked, region, "costs")


def _outgoing(data: Message, booked: BookedWarmup, region: str, topic: str) -> Outgoing:
    at = booked.warmup.at
    minute = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")
    return Event(
        id=event_id(f"{region}/{minute}", data.type, "warmup"),
        source="//cutout/warm",
        subject=region,
        time=at,
        traceparent=booked.traceparent,
        data=data,
    ).outgoing(topic)
