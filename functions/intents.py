"""`POST /intents`: a shopper looks as if an upload may follow.

Made for `navigator.sendBeacon`: the body is JSON under whatever content type, the key may stand in it or in the query
since a beacon has no headers of its own, there are no cookies, and the answer has no body. The session is a random text
that the page makes up and forgets.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

import flask
import msgspec

from events.envelope import Event
from events.ids import event_id
from events.messages import WarmupRequested
from events.patterns import whole
from functions.warming_settings import WarmingSettings
from functions.web import body, endpoint
from jobs.intents import Intents
from planner.intents import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from events.envelope import Outgoing
    from functions.admission import Admission
    from functions.wiring import Parts
    from jobs.desk import JobDesk
    from planner.intents import Intent, StageModel

__all__ = ["IntentRequest", "ReceiveIntent", "build", "key_of"]

_LOG: Final = logging.getLogger(__name__)


class IntentRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: Annotated[str, msgspec.Meta(pattern=whole("[A-Za-z0-9_-]{16,64}"))]
    stage: Stage
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None


def key_of(request: flask.Request, intent: IntentRequest) -> str | None:
    """The storefront's key: from the header, else from the body, else from the query's `key`."""
    return request.headers.get("X-Api-Key") or intent.key or request.args.get("key")


class ReceiveIntent:
    """`stages` are those that count; none where warming does not listen to intents."""

    def __init__(
        self, desk: JobDesk, admission: Admission, intents: Intents, stages: Mapping[Stage, StageModel]
    ) -> None:
        self._desk = desk
        self._admission = admission
        self._intents = intents
        self._stages = stages

    def __call__(self, request: flask.Request) -> flask.Response:
        wanted = body(request, IntentRequest)
        tenant = self._admission.admit_key(request, key_of(request, wanted))
        model = self._stages.get(wanted.stage)
        if model is not None:
            marked = self._intents.mark(tenant.name, wanted.session, wanted.stage)
            if marked.new and model.prompt:
                self._prompt(tenant.name, marked.intent, request.headers.get("traceparent"))
            _LOG.info("intent_shown", extra={"tenant": tenant.name, "stage": wanted.stage, "new": marked.new})
        return flask.Response(status=HTTPStatus.NO_CONTENT)

    def _prompt(self, tenant: str, intent: Intent, traceparent: str | None) -> None:
        with self._desk.tracer.span(
            "intents", parent=traceparent, kind="server", tenant=tenant, stage=intent.stage
        ) as span:
            self._desk.settlement.publish([_message(tenant, intent, span.traceparent)])


def _message(tenant: str, intent: Intent, traceparent: str) -> Outgoing:
    """Asks for a decision at once. The id is that of the session and stage, within the hour."""
    data = WarmupRequested(reason=f"intent:{intent.stage}", at=intent.at)
    part = f"{intent.stage}:{intent.at:%Y-%m-%dT%H}"
    return Event(
        id=event_id(f"{tenant}/{intent.session}", data.type, part),
        source="//cutout/intents",
        subject=tenant,
        time=intent.at,
        traceparent=traceparent,
        data=data,
    ).outgoing("ticks")


def build(parts: Parts) -> Callable[[flask.Request], flask.Response]:
    """The Cloud Function."""
    policy = WarmingSettings.from_env(parts.environ).policy
    desk = parts.desk
    intents = Intents(desk.store, parts.settings.buckets.jobs, desk.clock, secret=desk.secret)
    stages = {stage: model for stage, model in policy.stages.items() if model.likelihood > 0}
    if policy.name != "economic":
        stages = {}
    limits = parts.rate_limits("intents")
    handle = ReceiveIntent(desk, parts.admission(limits), intents, stages)
    return endpoint(handle, methods=("POST",), tenants=parts.tenants, limits=limits)
