"""`jobs.ports.Tracer` over the OpenTelemetry SDK.

Parents are passed as traceparents and never found in a context variable: work moves between threads here. No provider
is made the process's global one, so no library that could trace itself begins to.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from events.errors import CutoutError, PermanentError
from events.trace import known_traceparent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.sdk.trace.sampling import SamplingResult
    from opentelemetry.trace import Span, TracerProvider
    from opentelemetry.trace.span import TraceState
    from opentelemetry.util.types import Attributes

__all__ = ["FirstOfOursDecides", "OtelSpan", "OtelTracer"]

_KINDS: Final = {
    "server": SpanKind.SERVER,
    "consumer": SpanKind.CONSUMER,
    "producer": SpanKind.PRODUCER,
    "internal": SpanKind.INTERNAL,
}
_PREFIX: Final = "cutout."


class FirstOfOursDecides(Sampler):
    """The public functions decide by the trace's id, for the share `ratio` of all; what follows does as they did.

    What the caller of a public function decided does not count: a browser could have everything recorded, and Google's
    front end, which adds a traceparent to every request, nearly nothing.
    """

    def __init__(self, ratio: float) -> None:
        self._first = TraceIdRatioBased(ratio)
        self._following = ParentBased(self._first)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        sampler = self._first if kind is SpanKind.SERVER else self._following
        return sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return f"FirstOfOursDecides{{{self._first.get_description()}}}"


class OtelSpan:
    """`jobs.ports.Span`. Attributes get the prefix `cutout.`."""

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def set(self, **attributes: str | float | bool | None) -> None:
        self._span.set_attributes(_named(attributes))

    def link(self, traceparent: str) -> None:
        context = _context(traceparent)
        if context is not None:
            self._span.add_link(context)

    def fail(self, error: BaseException) -> None:
        """Its code, never its message, which may hold anything. A refusal of what can't work is no error of ours."""
        code = error.code if isinstance(error, CutoutError) else type(error).__name__
        self._span.set_attribute("error.type", code)
        if not isinstance(error, PermanentError):
            self._span.set_status(Status(StatusCode.ERROR))


class OtelTracer:
    """`jobs.ports.Tracer`. Thread-safe."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("cutout")

    @contextmanager
    def span(
        self,
        name: str,
        *,
        parent: str | None,
        kind: str = "internal",
        links: Sequence[str] = (),
        **attributes: str | float | bool | None,
    ) -> Iterator[OtelSpan]:
        came_from = _context(parent)
        root = Context()
        started = self._tracer.start_span(
            name,
            context=root if came_from is None else set_span_in_context(NonRecordingSpan(came_from), root),
            kind=_KINDS[kind],
            attributes=_named(attributes),
            links=[Link(context) for link in links if (context := _context(link)) is not None],
        )
        span = OtelSpan(started)
        try:
            yield span
        except BaseException as error:
            span.fail(error)
            raise
        finally:
            started.end()


def _named(attributes: dict[str, str | float | bool | None]) -> dict[str, str | float | bool]:
    return {f"{_PREFIX}{name}": value for name, value in attributes.items() if value is not None}


def _context(traceparent: str | None) -> SpanContext | None:
    known = known_traceparent(traceparent or "")
    if known is None:
        return None
    _, trace, span, flags = known.split("-")
    return SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
