"""The results of a job whose matte exists, on the CPU."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from events.envelope import decode
from events.errors import InvalidMessageError, MatteMissingError
from events.messages import JobRequested, PubsubPush
from events.validation import convert
from jobs.dispatch import job_message
from jobs.outcome import JobRun
from jobs.processing import Processor
from jobs.speculation import Speculation

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudevents.http import CloudEvent

    from events.envelope import Event
    from functions.wiring import Parts
    from jobs.desk import JobDesk
    from jobs.processing import Ended, Pixels
    from jobs.timing import Stopwatch

__all__ = ["Render", "StoredMattes", "build"]

_LOG: Final = logging.getLogger(__name__)


class StoredMattes:
    """The matte source of a process without a network: what is not stored can't be made here."""

    def __init__(self, model: str) -> None:
        self.model = model

    def compute(self, pixels: Pixels, job: JobRequested, *, alone: bool, watch: Stopwatch) -> NoReturn:  # noqa: ARG002
        raise MatteMissingError("the matte is gone; the job goes to a worker")

    def cold_start(self, job: JobRequested) -> bool:  # noqa: ARG002
        """Functions start in a second or two: not what is meant by a cold start."""
        return False


class Render:
    def __init__(self, desk: JobDesk, processor: Processor, speculation: Speculation) -> None:
        self._desk = desk
        self._processor = processor
        self._speculation = speculation

    def __call__(self, event: CloudEvent) -> None:
        try:
            push: PubsubPush = convert(event.data, PubsubPush)
            wanted = decode(push.message.data, push.message.attributes, JobRequested)
        except InvalidMessageError as error:
            _LOG.error("render_event_invalid", extra={"event_id": event["id"], "fields": error.fields})
            raise
        if wanted.data.speculative:
            self._speculation.process(wanted)
            return
        try:
            self._processor.process(wanted)
        except MatteMissingError:
            self._hand_over(wanted)

    def _hand_over(self, wanted: Event[JobRequested]) -> None:
        """A matte may have expired between the look-up and now; a worker makes it again."""
        job = wanted.data
        # The worker's part follows from what asked for this one, which failed.
        run = JobRun(job_id=job.job_id, tenant=job.tenant, run=job.run, source="render", traceparent=wanted.traceparent)
        again = msgspec.structs.replace(job, lane="gpu")
        self._desk.settlement.publish([job_message(run, again, at=self._desk.clock())])


def _observer(parts: Parts) -> Callable[[Ended], None]:
    return (lambda _ended: None) if parts.metrics is None else parts.metrics.job_ended


def build(parts: Parts) -> Callable[[CloudEvent], None]:
    """The Cloud Function."""
    mattes = StoredMattes(parts.settings.model)
    billing = parts.settings.billing("cpu")
    processor = Processor(parts.desk, mattes, billing=billing, source="render", on_end=_observer(parts))
    quiet = Processor(parts.quiet_desk, mattes, billing=billing, source="render")
    return Render(parts.desk, processor, Speculation(parts.quiet_desk, quiet))
