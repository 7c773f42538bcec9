"""A message that was given up: tell whoever waits for it, and keep it for a replay."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import msgspec

from cloud.environment import Environment
from events.errors import InvalidMessageError, PermanentError
from events.ids import content_id
from events.messages import PubsubMessage, PubsubPush
from events.validation import convert
from functions.on_upload import recipes_of
from jobs.dead_letters import DeadLetter, DeadLetters, RetriesExhaustedError, given_up
from jobs.lost_uploads import LostUploads
from jobs.outcome import JobRun, failed
from jobs.records import Queued

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudevents.http import CloudEvent

    from functions.wiring import Parts
    from jobs.dead_letters import GivenUp, LostUpload
    from jobs.desk import JobDesk
    from jobs.meter import Meter
    from jobs.records import JobState

__all__ = ["DeadLetterSettings", "OnDeadLetter", "build"]

_LOG: Final = logging.getLogger(__name__)
_JOB_FAILED: Final = "every attempt at this job failed; the job is kept, and can be done once the cause is mended"
_UPLOAD_FAILED: Final = "this photo could not be looked at; upload it again"
_NOT_LOOKED_AT: Final = "every attempt to look at the photo failed"


@dataclass(frozen=True, slots=True)
class DeadLetterSettings:
    bucket: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises `SettingsError` naming every variable that is missing or wrong."""
        env = Environment(environ)
        settings = cls(bucket=env.text("DEAD_LETTERS_BUCKET"))
        env.check()
        return settings


class OnDeadLetter:
    """Nothing is lost here: every message ends as told, as kept, or as one of a job that the shopper took back."""

    def __init__(self, desk: JobDesk, letters: DeadLetters, uploads: LostUploads, *, meter: Meter) -> None:
        self._desk = desk
        self._letters = letters
        self._uploads = uploads
        self._meter = meter

    def __call__(self, event: CloudEvent) -> None:
        try:
            pushed = convert(event.data, PubsubPush).message
        except InvalidMessageError as error:
            unwrapped = PubsubMessage(message_id=event["id"], data=msgspec.json.encode(event.data))
            self._keep_other(given_up(unwrapped), event["id"], str(error))
            return
        message = given_up(pushed)
        try:
            wanted = message.job()
        except InvalidMessageError as error:
            self._no_job(message, pushed.message_id, str(error))
            return
        job = wanted.data
        if job.speculative:  # nobody asked for it, so nobody is told
            content = content_id(self._desk.secret, job.tenant, job.sha256)
            self._desk.references.release(job.tenant, content, job.job_id)
            return
        run = _run(job.tenant, job.job_id, job.run, wanted.traceparent)
        state = self._desk.records.state(run.tenant, run.job_id)
        self._end(run, state, DeadLetter.of_job(message, job, at=self._desk.clock()), _JOB_FAILED)

    def _no_job(self, message: GivenUp, message_id: str, problem: str) -> None:
        """An upload whose event was given up is a job too, of which nobody would hear otherwise."""
        try:
            upload = message.upload(self._desk.buckets.uploads)
        except InvalidMessageError:
            self._keep_other(message, message_id, problem)
            return
        run = _run(upload.job.tenant, upload.job.job_id, 0, upload.photo.metadata.get("traceparent", ""))
        state = self._desk.records.state(run.tenant, run.job_id)
        if state.state not in {"awaiting_upload", "queued"}:
            self._end(run, state, DeadLetter.of_upload(message, upload.job, at=self._desk.clock()), _UPLOAD_FAILED)
            return
        queued = self._desk.records.read(run.tenant, run.job_id, "queued", Queued)
        if queued is not None and queued.message is not None:  # it went on, unless sending this is what failed
            self._desk.settlement.publish([queued.message])
            return
        self._end(run, state, *self._letter(run, message, upload))

    def _letter(self, run: JobRun, message: GivenUp, upload: LostUpload) -> tuple[DeadLetter, str]:
        """The letter of the job that the upload asks for, or of the upload if it makes none, and what to tell."""
        try:
            job = self._uploads.job(run, upload.photo)
        except PermanentError:
            return DeadLetter.of_upload(message, upload.job, at=self._desk.clock()), _UPLOAD_FAILED
        asked = self._uploads.message(run, job)
        again = msgspec.structs.replace(message, data=asked.data.encode(), attributes=asked.attributes)
        return DeadLetter.of_job(again, job, at=self._desk.clock(), reason=_NOT_LOOKED_AT), _JOB_FAILED

    def _end(self, run: JobRun, state: JobState, letter: DeadLetter, explanation: str) -> None:
        with self._desk.tracer.span(
            "on_dead_letter", parent=run.traceparent, kind="consumer", job_id=run.job_id, tenant=run.tenant
        ) as span:
            self._tell(msgspec.structs.replace(run, traceparent=span.traceparent), state, letter, explanation)

    def _tell(self, run: JobRun, state: JobState, letter: DeadLetter, explanation: str) -> None:
        """Tell the outcome that there is, or keep the message and end this run of the job."""
        fields = {"job_id": run.job_id, "tenant": run.tenant, "run": run.run, "traceparent": run.traceparent}
        if state.state == "deleted":
            self._desk.removal.remove(run.tenant, run.job_id)
            return
        if self._desk.settlement.retell(run, state):
            _LOG.info("dead_letter_retold", extra=fields)
            return
        self._letters.keep(letter)
        _LOG.error("dead_letter_kept", extra=fields | {"letter": letter.name, "attempts": letter.message.attempts})
        if state.state is None:  # no such job: nobody waits
            return
        with self._meter.measure() as spent:
            if not self._desk.removal.repeated(run.tenant, run.job_id):
                error = RetriesExhaustedError(explanation, letter=letter.name)
                self._desk.settlement.fail(run, failed(run, error, at=self._desk.clock(), spent=spent()))

    def _keep_other(self, message: GivenUp, message_id: str, problem: str) -> None:
        """What is no job has an event of its own in the log, since no shopper waits for it.

        What a receiver won't take is its shop's to see to, anything else is ours.
        """
        letter = DeadLetter.of_other(message, message_id, message.reason or problem, at=self._desk.clock())
        self._letters.keep(letter)
        fields = {
            "letter": letter.name,
            "reason": letter.reason,
            "given_up_by": message.subscription,
            "event_type": message.attributes.get("ce-type"),
            "subject": message.attributes.get("ce-subject"),
            "receiver": message.receiver,
        }
        _LOG.log(logging.WARNING if message.reason and message.receiver else logging.ERROR, "letter_kept", extra=fields)


def _run(tenant: str, job_id: str, run: int, traceparent: str) -> JobRun:
    """`traceparent` is that of the message, or empty."""
    return JobRun(
        job_id=job_id,
        tenant=tenant,
        run=run,
        source="on_dead_letter",
        traceparent=traceparent,
    )


def build(parts: Parts) -> Callable[[CloudEvent], None]:
    """The Cloud Function."""
    settings = DeadLetterSettings.from_env(parts.environ)
    uploads = LostUploads(parts.desk, parts.dispatch, recipes_of)
    return OnDeadLetter(parts.desk, DeadLetters(parts.desk.store, settings.bucket), uploads, meter=parts.meter)
