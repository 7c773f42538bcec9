"""Messages that were given up, kept so that they can be sent again.

Only the message is kept. The photo stays where it was uploaded: a copy would outlive `DELETE /jobs/{id}`, which must
leave nothing of a photo, and a photo that the shopper took back must not come up again. So a job can be replayed for as
long as the uploads' bucket keeps its photo, a day by default (`retention_days` in terraform/variables.tf); the letter
stays for longer, a week, for whoever asks what became of the job. `jobs.replay` tells which of them can still be sent.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from events.envelope import decode
from events.errors import InvalidMessageError, TransientError
from events.messages import EVENT_TYPES, JobRequested, StorageObject
from events.names import parse_upload_name
from events.validation import decode_json
from jobs.dispatch import LANE_TOPICS

if TYPE_CHECKING:
    from events.envelope import Event
    from events.messages import PubsubMessage
    from events.names import JobName
    from jobs.ports import ObjectStore

__all__ = ["DeadLetter", "DeadLetters", "GivenUp", "RetriesExhaustedError", "given_up"]

_ADDED: Final = "CloudPubSubDeadLetterSource"
"""How the names of the attributes begin that Pub/Sub adds to a message which it gives up.

Source: https://cloud.google.com/pubsub/docs/handling-failures.
"""
_TOPICS: Final = {kind.type: kind.topics[0] for kind in EVENT_TYPES if len(kind.topics) == 1}


class RetriesExhaustedError(TransientError):
    """Every attempt at the job failed. Once the cause is gone, a replay may work."""

    code: ClassVar[str] = "retries_exhausted"


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it was published, the subscription that gave it up, and after how many attempts."""

    data: bytes
    attributes: dict[str, str]
    subscription: str
    attempts: int | None

    def job(self) -> Event[JobRequested]:
        """Raises `InvalidMessageError` if it asks for no job."""
        return decode(self.data, self.attributes, JobRequested)

    def upload(self, bucket: str) -> JobName:
        """The job whose upload it tells of. Raises `InvalidMessageError` if it tells of none in that bucket."""
        uploaded = decode_json(self.data, StorageObject)
        if uploaded.bucket != bucket:
            raise InvalidMessageError({"$.bucket": f"expected {bucket!r}, got {uploaded.bucket!r}"})
        return parse_upload_name(uploaded.name)

    @property
    def topic(self) -> str | None:
        """Where it was published; None where that can't be told from the message."""
        try:
            return LANE_TOPICS[self.job().data.lane]
        except InvalidMessageError:
            return _TOPICS.get(self.attributes.get("ce-type", ""))


def given_up(message: PubsubMessage) -> GivenUp:
    """A message of the dead-letter topic, as it was before."""
    count = message.attributes.get(f"{_ADDED}DeliveryCount", "")
    return GivenUp(
        data=message.data,
        attributes={name: value for name, value in message.attributes.items() if not name.startswith(_ADDED)},
        subscription=message.attributes.get(f"{_ADDED}Subscription", ""),
        attempts=int(count) if count.isascii() and count.isdigit() else None,
    )


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is kept. `name` is that of its object; `reason` says why it is here, for people."""

    name: str
    reason: str
    kept_at: datetime
    message: GivenUp

    @classmethod
    def of_job(cls, message: GivenUp, job: JobRequested, *, at: datetime) -> DeadLetter:
        name = f"{job.tenant}/{job.job_id}/run-{job.run}-{job.lane}.json"
        return cls(name=name, reason="the job failed at every attempt", kept_at=at, message=message)

    @classmethod
    def of_upload(cls, message: GivenUp, job: JobName, *, at: datetime) -> DeadLetter:
        name = f"{job.tenant}/{job.job_id}/upload.json"
        return cls(name=name, reason="the upload could not be looked at", kept_at=at, message=message)

    @classmethod
    def of_other(cls, message: GivenUp, reason: str, *, at: datetime) -> DeadLetter:
        """Named after its content, so that it is kept once however often it comes."""
        content = msgspec.json.encode((message.data, message.attributes), order="sorted")
        name = f"~other/{hashlib.sha256(content).hexdigest()[:32]}.json"
        return cls(name=name, reason=reason, kept_at=at, message=message)


class DeadLetters:
    """The messages kept in `bucket`, each written once."""

    def __init__(self, store: ObjectStore, bucket: str) -> None:
        self._store = store
        self._bucket = bucket

    def keep(self, letter: DeadLetter) -> None:
        """Nothing happens if it is kept already."""
        self._store.create(self._bucket, letter.name, msgspec.json.encode(letter), content_type="application/json")

    def all(self) -> list[DeadLetter]:
        """In order of their names: by tenant, then by age of the job, then by run."""
        names = [stat.name for stat in self._store.list(self._bucket, "")]
        stored = (self._store.read(self._bucket, name) for name in names)
        return [decode_json(one.data, DeadLetter) for one in stored if one is not None]
