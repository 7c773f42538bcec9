"""What something cost becomes a row of the cost table."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from events.envelope import decode
from events.errors import CutoutError, PermanentError
from events.messages import CostRecorded, PubsubPush
from events.validation import convert
from jobs.refusals import Refusals
from jobs.telemetry import UNTRACED
from warehouse.group_commit import GroupCommit
from warehouse.recorder import Recorder
from warehouse.rows import cost_row
from warehouse.settings import WarehouseSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudevents.http import CloudEvent

    from events.envelope import Event
    from functions.wiring import Parts
    from jobs.ports import Publisher, Tracer
    from warehouse.ports import Row

__all__ = ["RecordCost", "build"]

_LOG: Final = logging.getLogger(__name__)


class RecordCost:
    """Events that arrive while an insert is under way go together with the next. An event may be recorded twice."""

    def __init__(self, recorder: Recorder, publisher: Publisher, *, most: int, tracer: Tracer = UNTRACED) -> None:
        self._rows: GroupCommit[Row, CutoutError | None] = GroupCommit(recorder.record, most=most)
        self._refusals = Refusals(publisher, by="record-cost")
        self._tracer = tracer

    def __call__(self, event: CloudEvent) -> None:
        """Raises `TransientError` while the table can't be written: the event has to come again."""
        try:
            push: PubsubPush = convert(event.data, PubsubPush)
            self._record(decode(push.message.data, push.message.attributes, CostRecorded))
        except PermanentError as error:
            fields = {"event_id": event["id"], "code": error.code, "reason": error.message}
            _LOG.error("cost_event_refused", extra=fields)
            self._refusals.refuse(event, error)

    def _record(self, event: Event[CostRecorded]) -> None:
        cost = event.data
        with self._tracer.span(
            "record_cost",
            parent=event.traceparent,
            kind="consumer",
            job_id=cost.job_id,
            tenant=cost.tenant,
            cost_kind=cost.kind,
        ):
            problem = self._rows.submit(cost_row(event))
            if problem is not None:
                raise problem


def build(parts: Parts) -> Callable[[CloudEvent], None]:
    """The Cloud Function."""
    from cloud.bigquery import MOST_ROWS, BigQueryTable  # noqa: PLC0415  # decisions need no client

    settings = WarehouseSettings.from_env(parts.environ)
    table = BigQueryTable.connect(settings.table, project=parts.settings.project, deadline=settings.deadline)
    return RecordCost(Recorder(table, sleep=time.sleep), parts.publisher, most=MOST_ROWS, tracer=parts.tracer)
