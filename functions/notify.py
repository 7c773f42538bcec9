"""A job ended: one message for each webhook receiver that wants to know."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import msgspec

from events.envelope import decode_result
from events.errors import InvalidMessageError
from events.messages import PubsubPush
from events.validation import convert
from jobs.refusals import Refusals
from webhooks.attempts import first_attempt
from webhooks.links import Links

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudevents.http import CloudEvent

    from events.envelope import Event
    from events.messages import ResultCompleted, ResultFailed
    from functions.wiring import Parts
    from jobs.desk import JobDesk
    from jobs.ports import Span
    from webhooks.subscriptions import Subscriptions

__all__ = ["Notify", "build"]

_LOG: Final = logging.getLogger(__name__)


class Notify:
    """May be interrupted and repeated: a receiver's message has the same id every time."""

    def __init__(self, desk: JobDesk, subscriptions: Subscriptions, links: Links, refusals: Refusals) -> None:
        self._desk = desk
        self._subscriptions = subscriptions
        self._links = links
        self._refusals = refusals

    def __call__(self, event: CloudEvent) -> None:
        try:
            push: PubsubPush = convert(event.data, PubsubPush)
            result = decode_result(push.message.data, push.message.attributes)
        except InvalidMessageError as error:
            _LOG.error("result_event_invalid", extra={"event_id": event["id"], "fields": error.fields})
            self._refusals.refuse(event, error)
            return
        with self._desk.tracer.span(
            "notify",
            parent=result.traceparent,
            kind="consumer",
            job_id=result.data.job_id,
            tenant=result.data.tenant,
            result=result.data.type,
        ) as span:
            self._tell_all(msgspec.structs.replace(result, traceparent=span.traceparent), span)

    def _tell_all(self, result: Event[ResultCompleted | ResultFailed], span: Span) -> None:
        receivers = self._subscriptions.matching(result.data.tenant, result.data.type)
        span.set(receivers=len(receivers))
        if not receivers:
            return
        notice = self._links.notice(result.data)
        now = self._desk.clock()
        self._desk.settlement.publish(
            first_attempt(result, receiver.name, notice, now=now).outgoing("deliveries") for receiver in receivers
        )
        _LOG.info(
            "deliveries_requested",
            extra={
                "job_id": result.data.job_id,
                "tenant": result.data.tenant,
                "receivers": [receiver.name for receiver in receivers],
                "traceparent": result.traceparent,
            },
        )


def build(parts: Parts) -> Callable[[CloudEvent], None]:
    """The Cloud Function."""
    settings = parts.webhooks
    links = Links(parts.desk.store, parts.signer, parts.desk.clock, settings.lives)
    return Notify(parts.desk, settings.subscriptions, links, Refusals(parts.publisher, by="notify"))
