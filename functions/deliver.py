"""One attempt to tell one webhook receiver of one result.

A failed attempt is acknowledged, since a subscription that pushes slows down as a whole when messages come back; the
next attempt waits as an object that `sweep_deliveries` publishes when it is due.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import msgspec

from cloud.breaker import CircuitOpenError
from events.envelope import decode
from events.errors import InvalidMessageError
from events.messages import DeliveryRequested, PubsubPush
from events.validation import convert
from jobs.refusals import Refusals
from webhooks.attempts import dead_letter, next_attempt
from webhooks.errors import ForbiddenTargetError, UnreachableError
from webhooks.guarded import GuardedSender
from webhooks.links import Links
from webhooks.parking import Parking
from webhooks.payload import payload
from webhooks.ports import Post
from webhooks.retries import Tried, next_step
from webhooks.sender import HttpSender
from webhooks.signing import signature_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudevents.http import CloudEvent

    from events.envelope import Event
    from functions.wiring import Parts
    from jobs.desk import JobDesk
    from jobs.ports import Span
    from webhooks.ports import Sender
    from webhooks.retries import RetryPolicy, Step
    from webhooks.subscriptions import Receiver, Subscriptions

__all__ = ["Deliver", "build"]

_LOG: Final = logging.getLogger(__name__)
_USER_AGENT: Final = "Cutout-Webhooks/1"


class Deliver:
    def __init__(
        self,
        desk: JobDesk,
        subscriptions: Subscriptions,
        sender: Sender,
        links: Links,
        parking: Parking,
        policy: RetryPolicy,
        refusals: Refusals,
    ) -> None:
        self._desk = desk
        self._subscriptions = subscriptions
        self._sender = sender
        self._links = links
        self._parking = parking
        self._policy = policy
        self._refusals = refusals

    def __call__(self, event: CloudEvent) -> None:
        try:
            push: PubsubPush = convert(event.data, PubsubPush)
            wanted = decode(push.message.data, push.message.attributes, DeliveryRequested)
        except InvalidMessageError as error:
            _LOG.error("delivery_event_invalid", extra={"event_id": event["id"], "fields": error.fields})
            self._refusals.refuse(event, error)
            return
        receiver = self._subscriptions.find(wanted.data.notice.result.tenant, wanted.data.receiver)
        if receiver is None:
            _LOG.info("delivery_unwanted", extra=_fields(wanted))
            return
        result = wanted.data.notice.result
        with self._desk.tracer.span(
            "deliver",
            parent=wanted.traceparent,
            kind="consumer",
            job_id=result.job_id,
            tenant=result.tenant,
            receiver=receiver.name,
            attempt=wanted.data.attempt,
        ) as span:
            self._attempt(msgspec.structs.replace(wanted, traceparent=span.traceparent), receiver, span)

    def _attempt(self, wanted: Event[DeliveryRequested], receiver: Receiver, span: Span) -> None:
        delivery = msgspec.structs.replace(wanted.data, notice=self._links.lasting(wanted.data.notice))
        started = time.monotonic()
        tried = self._try(self._post(delivery, receiver, wanted.traceparent))
        seconds = round(time.monotonic() - started, 4)
        now = self._desk.clock()
        step = next_step(delivery, tried, self._policy, now=now)
        span.set(outcome=step.outcome, status=tried.status, problem=tried.problem)
        _LOG.log(
            logging.INFO if tried.told else logging.WARNING,
            "delivery_attempted",
            extra={
                **_fields(wanted),
                "outcome": step.outcome,
                "status": tried.status,
                "problem": tried.problem,
                "seconds": seconds,
                "due": step.due,
            },
        )
        self._settle(msgspec.structs.replace(wanted, data=delivery), tried, step)

    def _post(self, delivery: DeliveryRequested, receiver: Receiver, traceparent: str) -> Post:
        body = payload(delivery)
        now = self._desk.clock()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": _USER_AGENT,
            "traceparent": traceparent,
            **signature_headers(delivery.delivery_id, body, receiver.secrets, at=now),
        }
        last = now >= self._policy.end(delivery, now=now)
        return Post(_receiver_id(delivery), receiver.url, headers, body, last)

    def _try(self, post: Post) -> Tried:
        try:
            answer = self._sender.send(post)
        except UnreachableError as error:
            return Tried(problem=error.problem)
        except CircuitOpenError as error:
            return Tried(problem="circuit_open", retry_after=str(error.retry_after_seconds), spared=True)
        except ForbiddenTargetError:
            return Tried(problem="forbidden")
        return Tried(status=answer.status, retry_after=answer.retry_after)

    def _settle(self, tried_event: Event[DeliveryRequested], tried: Tried, step: Step) -> None:
        """Put the next attempt, or what is left of the delivery, where it is safe; then the message may go."""
        if step.due is not None:
            following = next_attempt(tried_event, now=self._desk.clock())
            self._parking.park(following.outgoing("deliveries"), step.due)
        elif not tried.told:
            reason = f"{step.outcome}: {tried.status or tried.problem}"
            self._desk.settlement.publish([dead_letter(tried_event, reason)])


def _fields(wanted: Event[DeliveryRequested]) -> dict[str, object]:
    """What a log line says of a delivery: never a URL, which may hold a key."""
    return {
        "receiver": _receiver_id(wanted.data),
        "delivery_id": wanted.data.delivery_id,
        "job_id": wanted.data.notice.result.job_id,
        "attempt": wanted.data.attempt,
        "traceparent": wanted.traceparent,
    }


def _receiver_id(delivery: DeliveryRequested) -> str:
    return f"{delivery.notice.result.tenant}/{delivery.receiver}"


def build(parts: Parts) -> Callable[[CloudEvent], None]:
    """The Cloud Function."""
    settings = parts.webhooks
    desk = parts.desk
    return Deliver(
        desk,
        settings.subscriptions,
        GuardedSender(HttpSender(loopback=settings.loopback, timeout=settings.timeout), parts.breakers),
        Links(desk.store, parts.signer, desk.clock, settings.lives),
        Parking(desk.store, desk.buckets.jobs),
        settings.retries,
        Refusals(parts.publisher, by="deliver"),
    )
