"""Messages that were given up, kept so that they can be sent again.

Only the message is kept. The photo stays where it was uploaded: a copy would outlive `DELETE /jobs/{id}`, which must
leave nothing of a photo, and a photo that the shopper took back must not come up again. So a job can be replayed for as
long as the uploads' bucket keeps its photo, a week by default (`retention_days` in terraform/variables.tf), which is
how long letters are kept, too. `jobs.replay` tells which of them can still be sent.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

import msgspec

from events.envelope import decode
from events.errors import InvalidMessageError, TransientError
from events.messages import EVENT_TYPES, DeliveryRequested, JobRequested, StorageObject
from events.names import parse_upload_name
from events.validation import decode_json
from jobs.dispatch import LANE_TOPICS
from jobs.refusals import REASON, REFUSED_BY

if TYPE_CHECKING:
    from events.envelope import Event
    from events.messages import PubsubMessage
    from events.names import JobName
    from jobs.ports import ObjectStore, StoredObject

__all__ = ["DeadLetter", "DeadLetters", "GivenUp", "LostUpload", "RetriesExhaustedError", "given_up"]

_ADDED: Final = "CloudPubSubDeadLetterSource"
"""How the names of the attributes begin that Pub/Sub adds to a message which it gives up.

Source: https://cloud.google.com/pubsub/docs/handling-failures.
"""
_PARALLEL: Final = 16
_TOPICS: Final = {kind.type: kind.topics[0] for kind in EVENT_TYPES if len(kind.topics) == 1}


class RetriesExhaustedError(TransientError):
    """Every attempt at the job failed. Once the cause is gone, a replay may work."""

    code: ClassVar[str] = "retries_exhausted"


class LostUpload(NamedTuple):
    """An upload whose event was given up, and its job."""

    job: JobName
    photo: StorageObject


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it was published, the subscription that gave it up, and after how many attempts.

    `reason` is that of a function which refused it at once, and then stands for the subscription; else it is empty.
    """

    data: bytes
    attributes: dict[str, str]
    subscription: str
    attempts: int | None
    reason: str = ""

    def job(self) -> Event[JobRequested]:
        """Raises `InvalidMessageError` if it asks for no job."""
        return decode(self.data, self.attributes, JobRequested)

    def upload(self, bucket: str) -> LostUpload:
        """Raises `InvalidMessageError` if it tells of no upload in that bucket."""
        uploaded = decode_json(self.data, StorageObject)
        if uploaded.bucket != bucket:
            raise InvalidMessageError({"$.bucket": f"expected {bucket!r}, got {uploaded.bucket!r}"})
        return LostUpload(parse_upload_name(uploaded.name), uploaded)

    @property
    def receiver(self) -> str:
        """Whom it was to be told to, empty if it asks for no delivery."""
        try:
            return decode(self.data, self.attributes, DeliveryRequested).data.receiver
        except InvalidMessageError:
            return ""

    @property
    def topic(self) -> str | None:
        """Where it was published; None where that can't be told from the message."""
        try:
            return LANE_TOPICS[self.job().data.lane]
        except InvalidMessageError:
            return _TOPICS.get(self.attributes.get("ce-type", ""))


def given_up(message: PubsubMessage) -> GivenUp:
    """A message of the dead-letter topic, as it was before."""
    attributes = dict(message.attributes)
    reason, by = attributes.pop(REASON, ""), attributes.pop(REFUSED_BY, "")
    count = attributes.get(f"{_ADDED}DeliveryCount", "")
    return GivenUp(
        data=message.data,
        attributes={name: value for name, value in attributes.items() if not name.startswith(_ADDED)},
        subscription=attributes.get(f"{_ADDED}Subscription", by),
        attempts=int(count) if count.isascii() and count.isdigit() else None,
        reason=reason,
    )


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is kept. `name` is that of its object; `reason` says why it is here, for people.

    One whose object can't be read has that as its data, and nobody knows when it was kept.
    """

    name: str
    reason: str
    kept_at: datetime | None
    message: GivenUp

    @classmethod
    def of_job(
        cls, message: GivenUp, job: JobRequested, *, at: datetime, reason: str = "the job failed at every attempt"
    ) -> DeadLetter:
        name = f"{job.tenant}/{job.job_id}/run-{job.run}-{job.lane}.json"
        return cls(name=name, reason=reason, kept_at=at, message=message)

    @classmethod
    def of_upload(cls, message: GivenUp, job: JobName, *, at: datetime) -> DeadLetter:
        name = f"{job.tenant}/{job.job_id}/upload.json"
        return cls(name=name, reason="the upload could not be looked at", kept_at=at, message=message)

    @classmethod
    def of_other(cls, message: GivenUp, message_id: str, reason: str, *, at: datetime) -> DeadLetter:
        """Named after its content and its id as a dead letter: kept once however often it comes.

        One that is given up again after a replay has another name, so nobody who clears the first away loses it.
        """
        content = msgspec.json.encode((message.data, message.attributes, message_id), order="sorted")
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
        with ThreadPoolExecutor(_PARALLEL) as pool:
            stored = pool.map(lambda name: self._store.read(self._bucket, name), names)
            return [_letter(one) for one in stored if one is not None]

    def clear(self, letter: DeadLetter) -> None:
        """Only after its message was sent again."""
        self._store.delete(self._bucket, letter.name)


def _letter(stored: StoredObject) -> DeadLetter:
    try:
        return decode_json(stored.data, DeadLetter)
    except InvalidMessageError as error:
        raw = GivenUp(data=stored.data, attributes={}, subscription="", attempts=None)
        return DeadLetter(name=stored.stat.name, reason=f"it can't be read: {error}", kept_at=None, message=raw)
