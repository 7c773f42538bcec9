"""From one message of the alerts topic to everything that follows from it, each step once.

The order makes a crash or a failing receiver harmless: the mitigation and its record, then each receiver and its
record. Whoever gets the message again goes on from the records. An incident is in one process's hands at a time.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Final

from alerts.announcement import of_incident, unreadable
from alerts.incident import decode_incident
from alerts.mitigator import MITIGATION_SECONDS
from alerts.records import IncidentRecords
from alerts.rules import rules_for
from cloud.deadline import Deadline
from events.errors import InvalidMessageError, TransientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alerts.announcement import Announcement, Pages
    from alerts.incident import Incident
    from alerts.mitigator import Mitigator
    from alerts.receivers import Messenger, Receiver
    from alerts.rules import Rule
    from jobs.claims import Claims
    from jobs.ports import Clock, ObjectStore

__all__ = ["AlertDesk"]

_LOG: Final = logging.getLogger(__name__)


class AlertDesk:
    """`bucket` is that of the job records."""

    def __init__(
        self,
        store: ObjectStore,
        bucket: str,
        clock: Clock,
        claims: Claims,
        mitigator: Mitigator,
        messenger: Messenger,
        *,
        receivers: Sequence[Receiver],
        rules: Sequence[Rule],
        pages: Pages,
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._clock = clock
        self._claims = claims
        self._mitigator = mitigator
        self._messenger = messenger
        self._receivers = receivers
        self._rules = rules
        self._pages = pages

    def handle(self, data: bytes, *, message_id: str) -> None:
        """Raises `TransientError` where the message has to come again: a receiver failed, or another process has it."""
        try:
            incident = decode_incident(data)
        except InvalidMessageError as error:
            self.pass_on(data, str(error))
            return
        key = _digest(b"test", message_id.encode()) if incident.test else incident.key
        with self._claims.hold(f"alerts/{key}"):
            records = IncidentRecords(self._store, self._bucket, key)
            if incident.open and records.over:
                _LOG.info("incident_over", extra={"incident": key})
                return
            if not incident.open:
                records.end()
            self._mitigate(incident, records)
            announcement = of_incident(incident, records.all_mitigated(), self._pages, key=key, now=self._clock())
            self._tell(announcement, records)

    def pass_on(self, data: bytes, problem: str) -> None:
        """Deliver what can't be understood as it is. Raises `TransientError` likewise."""
        key = _digest(b"unreadable", data)
        with self._claims.hold(f"alerts/{key}"):
            announcement = unreadable(data, problem, key=key)
            self._tell(announcement, IncidentRecords(self._store, self._bucket, key))

    def _mitigate(self, incident: Incident, records: IncidentRecords) -> None:
        limit = Deadline(MITIGATION_SECONDS)
        for rule in rules_for(incident, self._rules):
            if records.mitigated(rule.slug) is None:
                records.keep_mitigated(self._mitigator.mitigate(rule, incident, limit))

    def _tell(self, announcement: Announcement, records: IncidentRecords) -> None:
        failures = []
        _LOG.warning(
            "alert", extra={"incident": announcement.key, "phase": announcement.phase, "title": announcement.title}
        )
        for receiver in self._receivers:
            if records.receipt(receiver.name, announcement.phase) is not None:
                continue
            try:
                earlier = records.receipt(receiver.name, "firing")
                receipt = self._messenger.tell(receiver, announcement, earlier)
            except TransientError as error:
                _LOG.warning("alert_not_delivered", extra={"receiver": receiver.name, "reason": error.message})
                failures.append(error.message)
            else:
                records.keep_receipt(receiver.name, announcement.phase, receipt)
        if failures:
            raise TransientError("; ".join(failures), incident=announcement.key)


def _digest(kind: bytes, data: bytes) -> str:
    return hashlib.sha256(b"%b\x1f%b" % (kind, data)).hexdigest()[:32]
