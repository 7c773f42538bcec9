"""What the job logic needs from the outside, as protocols; `cloud/` implements them, tests fake them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta

__all__ = [
    "Attribute",
    "Clock",
    "Measures",
    "ObjectStat",
    "ObjectStore",
    "Publisher",
    "Span",
    "SpanKind",
    "StoredObject",
    "Tracer",
    "UrlSigner",
]

Attribute = str | int | float | bool
SpanKind = Literal["server", "consumer", "producer", "internal"]


class ObjectStat(NamedTuple):
    """What a bucket knows of an object. `size` in bytes."""

    name: str
    size: int
    generation: int
    content_type: str
    metadata: Mapping[str, str]


class StoredObject(NamedTuple):
    stat: ObjectStat
    data: bytes


class ObjectStore(Protocol):
    """A bucket store with create-only writes. Failures that may pass raise `TransientError`."""

    def read(self, bucket: str, name: str) -> StoredObject | None:
        """The object and its metadata in one consistent read, or None where there is none."""

    def stream(self, bucket: str, name: str, *, generation: int) -> Iterator[bytes]:
        """Chunks of that generation. Raises `UploadMissingError` where it is not there."""

    def stat(self, bucket: str, name: str) -> ObjectStat | None:
        """Metadata alone, or None."""

    def list(
        self,
        bucket: str,
        prefix: str,
        *,
        start_offset: str | None = None,
        end_offset: str | None = None,
        most: int | None = None,
    ) -> list[ObjectStat]:
        """Objects whose name starts with `prefix`, in name order, from `start_offset` (a full name) on.

        Without those from `end_offset` on; the first `most` of them.
        """

    def create(
        self,
        bucket: str,
        name: str,
        data: bytes,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
    ) -> bool:
        """Write only if there is none (`if_generation_match=0`): True if written, False if one is there already."""

    def delete(self, bucket: str, name: str, *, generation: int | None = None) -> None:
        """Remove it, whatever is there or only that generation; nothing happens where there is none."""


class Publisher(Protocol):
    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        """Return only once the service has stored the message. Raises `TransientError`."""


class UrlSigner(Protocol):
    """Signed URLs, good for whoever has them until they expire."""

    def put_url(self, bucket: str, name: str, *, expires_in: timedelta, headers: Mapping[str, str]) -> str:
        """A URL for one PUT that must carry exactly these headers."""

    def get_url(self, bucket: str, name: str, *, expires_in: timedelta, filename: str) -> str:
        """A URL for GET; the browser saves the answer under `filename`, where the URL can say so."""


class Clock(Protocol):
    def __call__(self) -> datetime:
        """Now, in UTC, with a time zone."""


class Span(Protocol):
    """A piece of work in a trace. Nothing that is done to it raises."""

    @property
    def traceparent(self) -> str:
        """Names this piece of work as the parent of what follows from it (W3C Trace Context)."""

    def set(self, **attributes: Attribute | None) -> None:
        """Facts about the work, never a URL or anything of a shopper's. What is None is left out."""

    def link(self, traceparent: str) -> None:
        """Other work that this has to do with, such as a pass of the network that it shared."""


class Tracer(Protocol):
    """Where pieces of work are told of. Never raises, and never waits for whoever is told."""

    def span(
        self,
        name: str,
        *,
        parent: str | None,
        kind: SpanKind = "internal",
        links: Sequence[str] = (),
        **attributes: Attribute | None,
    ) -> AbstractContextManager[Span]:
        """The work done within it, as part of the work that `parent`, a traceparent, names; else of a new trace.

        An exception that leaves it marks the work as failed, with the exception's code, and goes on.
        """


class Measures(Protocol):
    """What is counted besides the worker's own numbers. Never raises, and never waits."""

    def looked_up(self, by: str, answer: str, seconds: float) -> None:
        """The cache answered `hit`, `matte` or `miss` to the component `by`."""

    def lookup_failed(self, by: str) -> None:
        """The cache could not be asked."""

    def retrieved(self, cache: str, seconds: float, usd: float) -> None:
        """A shopper's photo got its results so long after they were asked for, at this cost."""

    def warming_decided(self, action: str, reason: str) -> None:
        """Whether a worker should be warm, and why."""
