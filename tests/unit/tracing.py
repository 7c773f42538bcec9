"""A tracer whose spans a test can look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cloud.telemetry.tracing import FirstOfOursDecides, OtelTracer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["Recorder"]


class Recorder:
    """Keeps every span that ended, in the order of their ends."""

    def __init__(self, *, ratio: float = 1.0) -> None:
        self._kept = InMemorySpanExporter()
        provider = TracerProvider(sampler=FirstOfOursDecides(ratio), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.tracer = OtelTracer(provider)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._kept.get_finished_spans()

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def one(self, name: str) -> ReadableSpan:
        [span] = [span for span in self.spans if span.name == name]
        return span

    def parent(self, span: ReadableSpan) -> str | None:
        """The name of a span's parent; None where it is not one of these."""
        if span.parent is None:
            return None
        names = {context_of(each).span_id: each.name for each in self.spans}
        return names.get(span.parent.span_id)

    def attributes(self, name: str) -> dict[str, Any]:
        """Of the one span of that name, without the prefix."""
        return {key.removeprefix("cutout."): value for key, value in (self.one(name).attributes or {}).items()}


def context_of(span: ReadableSpan) -> Any:
    assert span.context is not None
    return span.context
