"""Every message that crosses a process boundary: the data of each CloudEvent, as frozen types.

A change that an old reader can't read is a new type with the next version at its end, never an edit.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

import msgspec

from events.names import JOB_ID_PATTERN, MODEL_PATTERN, TENANT_PATTERN
from events.patterns import whole
from events.recipe import MAX_RECIPES, Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "EVENT_TYPES",
    "USD_PATTERN",
    "Cache",
    "CompletedNotice",
    "CostKind",
    "CostRecorded",
    "DeliveryRequested",
    "FailedNotice",
    "JobRequested",
    "Lane",
    "Message",
    "ObjectRef",
    "PubsubMessage",
    "PubsubPush",
    "ReceiverName",
    "Result",
    "ResultCompleted",
    "ResultFailed",
    "ResultLink",
    "StorageObject",
    "Upload",
    "WarmupRequested",
]

MAX_INTEGER: Final = 2**63 - 1
"""What JSON encoders, BigQuery and Cloud Storage hold; Python reads larger numbers, and could then not send them on."""

Tenant = Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)]
JobId = Annotated[str, msgspec.Meta(pattern=JOB_ID_PATTERN, description="UUIDv7")]
Model = Annotated[
    str,
    msgspec.Meta(pattern=MODEL_PATTERN, description="network, weights digest, precision and preprocessing version"),
]
Sha256 = Annotated[str, msgspec.Meta(pattern=whole("[0-9a-f]{64}"), description="lower-case hex")]
Run = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER, description="0, then one more for each replay")]
Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_INTEGER)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Usd = Annotated[Decimal, msgspec.Meta(description="US dollars, 0 or more, at most nine decimals, as a string")]
USD_PATTERN: Final = whole("([0-9]{1,29}([.][0-9]{1,9})?|[0-9]([.][0-9]{1,2})?E-7|[0-9]([.][0-9])?E-8|[0-9]E-9)")
"""What BigQuery's NUMERIC holds, as Python writes a `Decimal`. msgspec knows no limits of one."""
Time = Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339")]
Recipes = Annotated[tuple[Recipe, ...], msgspec.Meta(min_length=1, max_length=MAX_RECIPES)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
DeliveryId = Annotated[
    str,
    msgspec.Meta(
        pattern=whole("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), description="UUID, a webhook's webhook-id"
    ),
]
ReceiverName = Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN, description="a webhook receiver of the tenant")]

Lane = Literal["gpu", "cpu"]
Cache = Literal["hit", "matte", "miss"]
CostKind = Literal["gpu", "cpu", "function", "idle", "warmup"]


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The data of one of our events."""

    type: ClassVar[str]
    topics: ClassVar[tuple[str, ...]]


class Priced(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message with amounts of money."""

    amounts: ClassVar[tuple[str, ...]]

    def __post_init__(self) -> None:
        for field, problem in self.conflicts({field: getattr(self, field) for field in self.amounts}).items():
            raise ValueError(f"{field}: {problem}")

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> dict[str, str]:
        """What is wrong with each amount that is a number at all."""
        found = {field: _decimal(given.get(field)) for field in cls.amounts}
        return {
            field: "expected US dollars, 0 or more, with at most nine decimals"
            for field, amount in found.items()
            if amount is not None and re.match(USD_PATTERN, str(amount)) is None
        }


def _decimal(value: object) -> Decimal | None:
    try:
        return value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        return None


class ObjectRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    bucket: Annotated[str, msgspec.Meta(min_length=3, max_length=222)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class Upload(ObjectRef, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exact bytes of a job: an object's generation never changes."""

    generation: Count


class JobRequested(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Compute these results of this upload."""

    type: ClassVar[str] = "cutout.job.requested.v1"
    topics: ClassVar[tuple[str, ...]] = ("jobs", "renders")

    job_id: JobId
    tenant: Tenant
    upload: Upload
    sha256: Sha256
    recipes: Recipes
    model: Model
    lane: Lane
    requested_at: Annotated[datetime, msgspec.Meta(tz=True, description="when the upload was complete, RFC 3339")]
    run: Run = 0
    timings: Annotated[
        dict[str, Seconds],
        msgspec.Meta(description="seconds of the stages before this message was published"),
    ] = {}
    speculative: Annotated[
        bool, msgspec.Meta(description="made in advance: nobody waits for it, and nobody is told of its end")
    ] = False


class Result(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One finished image. Width and height in pixels."""

    recipe: Recipe
    object: ObjectRef
    content_type: str
    width: Count
    height: Count
    bytes: Count
    cache: Annotated[Cache, msgspec.Meta(description="what the cache had: the result, the matte, or neither")]


class ResultCompleted(Priced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All results of a job exist."""

    type: ClassVar[str] = "cutout.result.completed.v1"
    amounts: ClassVar[tuple[str, ...]] = ("cost_usd",)
    topics: ClassVar[tuple[str, ...]] = ("results",)

    job_id: JobId
    tenant: Tenant
    model: Model
    results: Annotated[
        tuple[Result, ...],
        msgspec.Meta(min_length=1, max_length=MAX_RECIPES, description="one a recipe, in the order asked for"),
    ]
    confidence: Annotated[Share, msgspec.Meta(description="how decided the matte is, not how right")]
    lane: Annotated[Lane | None, msgspec.Meta(description="null when nothing had to be computed")]
    cold_start: bool
    timings: Annotated[dict[str, Seconds], msgspec.Meta(description="seconds by stage")]
    cost_usd: Usd
    requested_at: Time
    completed_at: Time
    run: Run = 0


class ResultFailed(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The job ended without results. `retryable` says whether a replay may work."""

    type: ClassVar[str] = "cutout.result.failed.v1"
    topics: ClassVar[tuple[str, ...]] = ("results",)

    job_id: JobId
    tenant: Tenant
    code: Annotated[str, msgspec.Meta(pattern=whole("[a-z_]{1,64}"))]
    message: str
    retryable: bool
    failed_at: Time
    run: Run = 0


class CostRecorded(Priced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a part of a job cost, or an hour of the worker besides its jobs. The event id is the row's id.

    A `warmup` without a revision is what one warm-up came to, by its sender's reckoning: it counts until the hour in
    which it began has revisions.
    """

    type: ClassVar[str] = "cutout.cost.recorded.v1"
    amounts: ClassVar[tuple[str, ...]] = ("usd",)
    topics: ClassVar[tuple[str, ...]] = ("costs",)

    occurred_at: Time
    kind: CostKind
    region: str
    usd: Usd
    price_version: str
    gpu_seconds: Seconds = 0.0
    vcpu_seconds: Seconds = 0.0
    gib_seconds: Seconds = 0.0
    job_id: JobId | None = None
    tenant: Tenant | None = None
    model: Model | None = None
    recipe: Annotated[str | None, msgspec.Meta(description="the recipe's digest")] = None
    cache: Cache | None = None
    batch_size: Count | None = None
    cold_start: bool | None = None
    megapixels: Annotated[float, msgspec.Meta(ge=0)] | None = None
    recipe_json: Annotated[str | None, msgspec.Meta(description="the recipe itself, canonical JSON")] = None
    lane: Annotated[Lane | None, msgspec.Meta(description="gpu is the worker's instance, cpu the function render")] = (
        None
    )
    speculative: Annotated[bool, msgspec.Meta(description="made in advance: nobody had asked for it")] = False
    latency_seconds: Annotated[
        Seconds | None, msgspec.Meta(description="from the request to the results; null where there are none")
    ] = None
    revision: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)] | None,
        msgspec.Meta(description="of what an hour cost besides its jobs: the newest one counts; null for jobs"),
    ] = None


class WarmupRequested(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Someone is likely to upload soon: start a worker."""

    type: ClassVar[str] = "cutout.warmup.requested.v1"
    topics: ClassVar[tuple[str, ...]] = ("ticks", "warmups")

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    at: Time


class ResultLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a result can be fetched, and until when."""

    url: Annotated[str, msgspec.Meta(description="signed, for GET")]
    expires_at: Time


class CompletedNotice(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="completed"
):
    """Results, and one link to each of them, in their order; null where the object is gone."""

    result: ResultCompleted
    links: tuple[ResultLink | None, ...]

    def __post_init__(self) -> None:
        if len(self.links) != len(self.result.results):
            raise ValueError("there must be as many links as results")


class FailedNotice(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="failed"
):
    result: ResultFailed


class DeliveryRequested(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make one attempt to tell one webhook receiver of one result event."""

    type: ClassVar[str] = "cutout.delivery.requested.v1"
    topics: ClassVar[tuple[str, ...]] = ("deliveries",)

    delivery_id: Annotated[DeliveryId, msgspec.Meta(description="the same in every attempt")]
    receiver: ReceiverName
    occurred_at: Annotated[datetime, msgspec.Meta(tz=True, description="time of the result event, RFC 3339")]
    notice: CompletedNotice | FailedNotice
    attempt: Count = 1
    first_attempt_at: Annotated[Time | None, msgspec.Meta(description="null until the first one failed")] = None


EVENT_TYPES: Final[tuple[type[Message], ...]] = (
    JobRequested,
    ResultCompleted,
    ResultFailed,
    CostRecorded,
    WarmupRequested,
    DeliveryRequested,
)


class StorageObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The part of Google's StorageObjectData that we read; 64-bit integers arrive as strings.

    Source: https://github.com/googleapis/google-cloudevents, google.events.cloud.storage.v1.
    """

    bucket: Annotated[str, msgspec.Meta(min_length=3)]
    name: Annotated[str, msgspec.Meta(min_length=1)]
    generation: Annotated[str, msgspec.Meta(pattern=whole("[0-9]{1,19}"))]
    size: Annotated[str, msgspec.Meta(pattern=whole("[0-9]{1,19}"))]
    time_created: Time
    content_type: str = ""
    metadata: dict[str, str] = {}


class PubsubMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message as Pub/Sub wraps it for push and for Eventarc.

    Source: https://cloud.google.com/pubsub/docs/push#receive_push.
    """

    message_id: str
    data: bytes = b""
    attributes: dict[str, str] = {}


class PubsubPush(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of a push request in wrapped form. `delivery_attempt` is there when dead-lettering is on."""

    message: PubsubMessage
    subscription: str = ""
    delivery_attempt: Count | None = None
