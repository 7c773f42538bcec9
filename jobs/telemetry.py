"""Telling of work where nobody listens, and publishing as a piece of work of its own."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Final

from events.trace import child_traceparent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jobs.ports import Attribute, Measures, Publisher, Span, SpanKind, Tracer

__all__ = ["UNMEASURED", "UNTRACED", "TracedPublisher"]


class _UntoldSpan:
    """Carries the trace on, so that log lines and other services can."""

    def __init__(self, parent: str | None) -> None:
        self._parent = parent

    @cached_property
    def traceparent(self) -> str:
        return child_traceparent(self._parent)

    def set(self, **attributes: Attribute | None) -> None:
        """Nobody asks."""

    def link(self, traceparent: str) -> None:
        """Nobody asks."""


class _Untraced:
    @contextmanager
    def span(
        self,
        name: str,  # noqa: ARG002  # the port's signature
        *,
        parent: str | None,
        kind: SpanKind = "internal",  # noqa: ARG002
        links: Sequence[str] = (),  # noqa: ARG002
        **attributes: Attribute | None,  # noqa: ARG002
    ) -> Iterator[Span]:
        yield _UntoldSpan(parent)


class _Unmeasured:
    def looked_up(self, by: str, answer: str, seconds: float) -> None:
        """Nobody asks."""

    def lookup_failed(self, by: str) -> None:
        """Nobody asks."""

    def retrieved(self, cache: str, seconds: float, usd: float) -> None:
        """Nobody asks."""

    def warming_decided(self, action: str, reason: str) -> None:
        """Nobody asks."""


UNTRACED: Final[Tracer] = _Untraced()
UNMEASURED: Final[Measures] = _Unmeasured()


class TracedPublisher:
    """`jobs.ports.Publisher` that tells how long each message took, as part of the work that sent it."""

    def __init__(self, publisher: Publisher, tracer: Tracer) -> None:
        self._publisher = publisher
        self._tracer = tracer

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        parent = attributes.get("ce-traceparent")
        with self._tracer.span(
            f"publish {topic}", parent=parent, kind="producer", topic=topic, event_id=attributes.get("ce-id")
        ):
            self._publisher.publish(topic, data, attributes)
