"""Whether a worker should be warm now: at every tick of the scheduler, and when a shopper is about to upload.

The money comes first: what a warm-up may cost at most stands in the ledger before it is asked for, so the day's budget
holds however many decide at once, and wherever one of them dies.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from events.envelope import decode
from events.errors import InvalidMessageError, TransientError
from events.messages import PubsubPush, Time, WarmupRequested
from events.validation import convert
from functions.prompts import Prompts
from functions.warming_settings import WarmingSettings
from jobs.flags import Flags
from jobs.intents import Intents
from jobs.ledger import Ledger
from jobs.lookout import InstanceMonitor, Lookout, Unwatched
from jobs.rates import DailyRates
from jobs.warmups import BookedWarmup, cost_message, spent, warmup_message
from planner.policy import decide
from planner.warmups import added_seconds, warmup_of
from warehouse.demand import RecordedDemand
from warehouse.settings import WarehouseSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudevents.http import CloudEvent

    from functions.wiring import Parts
    from jobs.desk import JobDesk
    from jobs.ledger import Page
    from jobs.lookout import Awake
    from jobs.ports import Span
    from planner.policy import Decision, Policy

    Book = Page[BookedWarmup]

__all__ = ["Warm", "build"]

_LOG: Final = logging.getLogger(__name__)
_STALE: Final = timedelta(minutes=2)
"""A trigger that is this late says nothing of now; the next tick does."""
_RACES: Final = 8
_HISTORY_SECONDS: Final = 10.0
"""A shopper's intent may be waiting for the first decision of the day."""


class _Trigger(NamedTuple):
    """`traceparent` is empty where the trigger belongs to no trace. A `prompt` is a shopper's."""

    key: str
    reason: str
    at: datetime
    traceparent: str
    prompt: bool


class Warm:
    def __init__(
        self,
        desk: JobDesk,
        policy: Policy,
        lookout: Lookout,
        ledger: Ledger[BookedWarmup],
        prompts: Prompts,
        *,
        region: str,
    ) -> None:
        self._desk = desk
        self._policy = policy
        self._lookout = lookout
        self._ledger = ledger
        self._prompts = prompts
        self._region = region

    def __call__(self, event: CloudEvent) -> None:
        """Raises `TransientError` to be asked again."""
        try:
            trigger = _trigger(event)
        except InvalidMessageError as error:
            _LOG.error("warming_trigger_invalid", extra={"event_id": event["id"], "fields": error.fields})
            return
        if self._desk.clock() - trigger.at > _STALE:
            _LOG.info("warming_trigger_stale", extra={"trigger": trigger.key, "at": trigger.at})
            return
        with self._desk.tracer.span(
            "warm", parent=trigger.traceparent, kind="consumer", trigger_reason=trigger.reason
        ) as span:
            self._answer(trigger._replace(traceparent=span.traceparent), span)

    def _answer(self, trigger: _Trigger, span: Span) -> None:
        """A tick has a decision of its own. So has a prompt that was answered, if it died after writing it down."""
        if not trigger.prompt:
            self._decide(trigger, span)
        elif not self._prompts.answer(trigger.at, lambda: self._decide(trigger, span)):
            now = self._desk.clock()
            known = self._ledger.page(now).find(trigger.key)
            if known is not None:
                self._ask_again(known.entry, now)
            _LOG.info("warming_prompt_answered", extra={"trigger": trigger.key, "traceparent": trigger.traceparent})

    def _decide(self, trigger: _Trigger, span: Span) -> None:
        for _ in range(_RACES):
            if self._decided(trigger, span):
                return
        raise TransientError("others keep writing to the ledger of warm-ups")

    def _decided(self, trigger: _Trigger, span: Span) -> bool:
        """Decide on what is known now, and act on it; False if somebody else acted first."""
        now = self._desk.clock()
        page = self._ledger.page(now)
        awake = self._lookout.awake(page, now)
        page = self._settled(page, awake, now)
        known = page.find(trigger.key)
        if known is not None:
            self._ask_again(known.entry, now)
            return True
        decision = decide(self._policy, self._lookout.situation(page, awake, now))
        warmup = warmup_of(decision, now)
        if warmup is not None:
            booked = BookedWarmup(key=trigger.key, warmup=warmup, traceparent=trigger.traceparent)
            if self._ledger.append(page, booked) is None:
                return False
            self._desk.settlement.publish([warmup_message(booked, self._region)])
        _LOG.info("warming_decided", extra=_fields(trigger, decision, page))
        span.set(action=decision.action, reason=decision.reason)
        self._desk.measures.warming_decided(decision.action, decision.reason)
        return True

    def _ask_again(self, booked: BookedWarmup, now: datetime) -> None:
        """The trigger came a second time; perhaps its first delivery died before it asked.

        A request much later than its decision would keep the worker for longer than was paid for.
        """
        if now - booked.warmup.at <= _STALE:
            self._desk.settlement.publish([warmup_message(booked, self._region)])

    def _settled(self, page: Book, awake: Awake, now: datetime) -> Book:
        """Tell what earlier warm-ups came to, as far as that is known by now, and free what they did not need."""
        worker = self._policy.worker
        for line in page.open:
            seconds = added_seconds(line.entry.warmup, awake.jobs, now, worker)
            if seconds is not None:
                self._desk.settlement.publish([cost_message(line.entry, seconds, worker, self._region)])
                page = self._ledger.settle(page, line, min(worker.nano_usd(seconds), line.entry.nano_usd))
        return page


def _trigger(event: CloudEvent) -> _Trigger:
    """Of an intent, the event that it was told by; of anything else on the topic, the message: a scheduler's tick.

    Raises `InvalidMessageError`.
    """
    push: PubsubPush = convert(event.data, PubsubPush)
    message = push.message
    at: datetime = convert(event["time"], Time)
    if "ce-type" not in message.attributes:
        # An emulator that starts anew counts its messages from 1 again.
        return _Trigger(f"{message.message_id} {at.isoformat()}", "tick", at, "", prompt=False)
    told = decode(message.data, message.attributes, WarmupRequested)
    return _Trigger(told.id, told.data.reason, at, told.traceparent, prompt=True)


def _fields(trigger: _Trigger, decision: Decision, page: Book) -> dict[str, object]:
    """The decision with its numbers; what was spent is what stood in the ledger before it."""
    before = spent(page)
    return {
        "trigger": trigger.key,
        "trigger_reason": trigger.reason,
        "traceparent": trigger.traceparent,
        **msgspec.structs.asdict(decision),
        "spent_nano_usd": before.nano_usd,
        "spent_on_intents_nano_usd": before.intents_nano_usd,
    }


def build(parts: Parts) -> Callable[[CloudEvent], None]:
    """The Cloud Function."""
    from cloud.bigquery import BigQueryQueries  # noqa: PLC0415  # decisions need no client

    settings = WarmingSettings.from_env(parts.environ)
    queries = BigQueryQueries.connect(project=parts.settings.project, deadline=_HISTORY_SECONDS)
    history = RecordedDemand(queries, WarehouseSettings.from_env(parts.environ).dataset)
    desk, policy, bucket = parts.desk, settings.policy, parts.settings.buckets.jobs
    lookout = Lookout(
        policy,
        parts.activity,
        Intents(desk.store, bucket, desk.clock, secret=desk.secret),
        DailyRates(desk.store, bucket, history, settings.prior, policy.schedule.zone),
        Flags(desk.store, bucket, desk.clock),
        _monitor(parts, settings),
    )
    region = settings.region or parts.settings.region
    ledger = Ledger(desk.store, bucket, "~warming", BookedWarmup)
    return Warm(desk, policy, lookout, ledger, Prompts(desk.clock, sleep=time.sleep), region=region)


def _monitor(parts: Parts, settings: WarmingSettings) -> InstanceMonitor:
    if not settings.service:
        return Unwatched()
    from cloud.monitoring import GoogleInstanceCount  # noqa: PLC0415  # only where there is a service to watch

    return GoogleInstanceCount.connect(
        project=parts.settings.project,
        region=settings.region,
        service=settings.service,
        clock=parts.desk.clock,
        breakers=parts.breakers,
    )
