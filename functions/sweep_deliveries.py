"""Every minute: publish the deliveries whose next attempt is due."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import flask
import msgspec

from events.errors import TransientError
from webhooks.parking import Parking

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

    def __init__(self, desk: JobDesk, parking: Parking, *, parallel: int = _PARALLEL) -> None:
        self._desk = desk
        self._parking = parking
        self._parallel = parallel

    def __call__(self) -> int:
        """How many attempts were published. Raises `TransientError` if some could not be; the next sweep has them."""
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
            message = self._parking.message(entry)
            if message is not None:
                self._desk.settlement.publish([message])
            self._parking.remove(entry)
        except TransientError as error:
            _LOG.warning("sweep_failed", extra={"entry": entry, "error": error.message})
            return False
        return True


def build(parts: Parts) -> Callable[[flask.Request], flask.Response]:
    """The Cloud Function, for a scheduler's POST."""
    sweep = SweepDeliveries(parts.desk, Parking(parts.desk.store, parts.settings.buckets.jobs))

    def function(_request: flask.Request) -> flask.Response:
        body = msgspec.json.encode({"published": sweep()})
        return flask.Response(body, status=HTTPStatus.OK, mimetype="application/json")

    return function
