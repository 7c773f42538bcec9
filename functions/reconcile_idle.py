"""Every hour: what the worker's instances cost besides their jobs, so that the cost table adds up to the bill."""

from __future__ import annotations

import logging
from bisect import bisect_left
from datetime import UTC, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import flask
import msgspec

from jobs.desk import utc_now
from warehouse.hours import WorkerHours
from warehouse.reconciliation import HOUR, KEEP_ALIVE, RecordedHour, cost_event, reconcile
from warehouse.settings import ReconciliationSettings, WarehouseSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from events.messages import CostRecorded
    from functions.wiring import Parts
    from jobs.costs import Billing
    from jobs.ports import Clock, Publisher
    from warehouse.ports import BillableTime
    from warehouse.reconciliation import Request

__all__ = ["ReconcileIdle", "build", "whole_hours"]

_LOG: Final = logging.getLogger(__name__)
_LATE: Final = timedelta(minutes=5)
"""Monitoring is some two minutes late: an hour is looked at this long after its end."""


class ReconcileIdle:
    """In the region of `billing`. Hours are looked at again until they are older than the look-back: late data makes a
    further revision.
    """

    def __init__(
        self,
        hours: WorkerHours,
        billable: BillableTime,
        publisher: Publisher,
        settings: ReconciliationSettings,
        billing: Billing,
        *,
        clock: Clock,
    ) -> None:
        self._hours = hours
        self._billable = billable
        self._publisher = publisher
        self._settings = settings
        self._billing = billing
        self._clock = clock

    def __call__(self) -> list[CostRecorded]:
        """The revisions that were sent to the cost table. Raises `TransientError`."""
        since, until = whole_hours(self._clock(), self._settings.look_back)
        billed = self._billable.by_hour(self._settings.service, since, until)
        recorded = self._hours.recorded(since, until)
        requests = self._hours.requests(since - KEEP_ALIVE, until)
        costs = [
            cost
            for hour in sorted(billed)
            for cost in reconcile(
                hour,
                billed[hour],
                self._billing,
                recorded.get(hour, RecordedHour()),
                _within(requests, hour - KEEP_ALIVE, hour + HOUR),
            )
        ]
        for cost in costs:
            message = cost_event(cost).outgoing("costs")
            self._publisher.publish(message.topic, message.data.encode(), message.attributes)
            _LOG.info("hour_reconciled", extra={"hour": cost.occurred_at, "kind": cost.kind, "usd": cost.usd})
        return costs


def _within(requests: Sequence[Request], since: datetime, until: datetime) -> Sequence[Request]:
    """Of requests in order of time."""
    first = bisect_left(requests, since, key=lambda request: request.at)
    return requests[first : bisect_left(requests, until, lo=first, key=lambda request: request.at)]


def whole_hours(now: datetime, look_back: timedelta) -> tuple[datetime, datetime]:
    """The hours that are over and known to Monitoring, as many as the look-back holds."""
    until = (now.astimezone(UTC) - _LATE).replace(minute=0, second=0, microsecond=0)
    return until - look_back, until


def build(parts: Parts) -> Callable[[flask.Request], flask.Response]:
    """The Cloud Function, for a scheduler's POST."""
    from cloud.bigquery import BigQueryQueries  # noqa: PLC0415  # decisions need no clients
    from cloud.monitoring import GoogleBillableTime  # noqa: PLC0415

    project = parts.settings.project
    settings = ReconciliationSettings.from_env(parts.environ)
    warehouse = WarehouseSettings.from_env(parts.environ)
    queries = BigQueryQueries.connect(project=project, deadline=warehouse.deadline)
    runs = [
        ReconcileIdle(
            WorkerHours(queries, dataset=warehouse.dataset, region=billing.region),
            GoogleBillableTime.connect(project=project, region=billing.region, breakers=parts.breakers),
            parts.publisher,
            settings,
            billing,
            clock=utc_now,
        )
        for billing in settings.billings
    ]

    def function(_request: flask.Request) -> flask.Response:
        body = msgspec.json.encode({"revisions": sum(len(run()) for run in runs)})
        return flask.Response(body, status=HTTPStatus.OK, mimetype="application/json")

    return function
