"""Every minute: publish the deliveries whose next attempt is due."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import flask
import msgspec

from events.errors import CutoutError, TransientError
from jobs.refusals import Refusals
from webhooks.parking import Parking, UnreadableRecordError

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.wiring import Parts
    from jobs.desk import JobDesk

__all__ = ["SweepDeliveries", "build"]

_LOG: Final = logging.getLogger(__name__)
_PARALLEL: Final = 16
_MOST: Final = 4000
"""Attempts published by one sweep: more than fit into a minute are left to the next one."""


class SweepDeliveries:
    """Publishes before it removes, so that dying in between only repeats an attempt, under the same id."""

    def __init__(self, desk: JobDesk, parking: Parking, refusals: Refusals, *, parallel: int = _PARALLEL) -> None:
        self._desk = desk
        self._parking = parking
        self._refusals = refusals
        self._parallel = parallel

    def __call__(self) -> int:
        """How many attempts were dealt with. Raises `TransientError` if some could not be; the next sweep has them."""
        entries = self._parking.entries(self._desk.clock())
        with ThreadPoolExecutor(self._parallel) as pool:
            swept = list(pool.map(self._swept, entries[:_MOST]))
        if entries:
            _LOG.info("deliveries_swept", extra={"due": len(entries), "published": sum(swept)})
        if not all(swept):
            raise TransientError(f"{swept.count(False)} deliveries that are due could not be published")
        return len(swept)

    def _swept(self, entry: str) -> bool:
        """One that fails does not keep the others."""
        try:
            self._publish(entry)
            self._parking.remove(entry)
        except CutoutError as error:
            _LOG.warning("sweep_failed", extra={"entry": entry, "error": error.message})
            return False
        return True

    def _publish(self, entry: str) -> None:
        try:
            message = self._parking.message(entry)
        except UnreadableRecordError as error:
            _LOG.error("parked_delivery_invalid", extra={"entry": entry, "reason": error.message})
            self._refusals.give_up(error.record, {"ce-id": error.event_id}, error)
            return
        if message is not None:
            self._desk.settlement.publish([message])


def build(parts: Parts) -> Callable[[flask.Request], flask.Response]:
    """The Cloud Function, for a scheduler's POST."""
    refusals = Refusals(parts.publisher, by="sweep-deliveries")
    sweep = SweepDeliveries(parts.desk, Parking(parts.desk.store, parts.settings.buckets.jobs), refusals)

    def function(_request: flask.Request) -> flask.Response:
        body = msgspec.json.encode({"published": sweep()})
        return flask.Response(body, status=HTTPStatus.OK, mimetype="application/json")

    return function
