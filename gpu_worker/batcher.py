"""One thread that owns the network, and the batches it makes of photos that arrive together."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from gpu_worker.batch_limit import BatchLimit
from gpu_worker.engines.base import BatchTooLargeError
from jobs.telemetry import UNTRACED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jobs.ports import Span, Tracer

    Array = NDArray[np.float32]

__all__ = ["BatchResult", "Batcher"]


class BatchResult(NamedTuple):
    """`matte` is what the network made of one input; `batch_size` inputs went through it together."""

    matte: Array
    batch_size: int


@dataclass(slots=True, eq=False)
class _Item:
    value: Array
    alone: bool
    span: Span | None = None
    future: Future[BatchResult] = field(default_factory=Future)


class Batcher:
    """Feeds `infer` from any number of threads.

    A photo waits for company at most `window` seconds, and only while another one is announced: with nothing else
    in flight it runs at once. While the network is busy, whatever arrives forms the next batch. A batch that fails is
    split in halves, down to single photos, so that one photo never fails another. After one that was too large for the
    device's memory, the next ones are smaller for a while.
    """

    def __init__(
        self,
        infer: Callable[[Sequence[Array]], list[Array]],
        *,
        largest: int,
        window: float = 0.1,
        monotonic: Callable[[], float] = time.monotonic,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._infer = infer
        self._limit = BatchLimit(largest, monotonic)
        self._window = window
        self._monotonic = monotonic
        self._tracer = tracer
        self._items: deque[_Item] = deque()
        self._announced: set[object] = set()
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._loop, name="network", daemon=True)
        self._thread.start()

    @contextmanager
    def announced(self) -> Iterator[object]:
        """Within it, a photo is being prepared that will be submitted soon, with the ticket that is given here."""
        ticket = object()
        with self._changed:
            self._announced.add(ticket)
        try:
            yield ticket
        finally:
            with self._changed:
                self._announced.discard(ticket)
                self._changed.notify_all()

    def submit(
        self, value: Array, *, alone: bool = False, ticket: object = None, span: Span | None = None
    ) -> BatchResult:
        """Wait for the network's answer. Raises what `infer` raised for this input alone.

        A ticket is taken back in the same moment: a photo that others wait for must not be missed by them. `span` is
        the work that waits for the answer; the pass that gives it is linked with it.
        """
        item = _Item(value, alone, span)
        with self._changed:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            self._announced.discard(ticket)
            self._items.append(item)
            self._changed.notify_all()
        return item.future.result()

    @property
    def waiting(self) -> int:
        """Photos that wait for the network."""
        with self._changed:
            return len(self._items)

    def close(self) -> None:
        """Finish what was submitted, then end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _loop(self) -> None:
        while batch := self._next_batch():
            self._run(batch)

    def _next_batch(self) -> list[_Item]:
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            if not self._items:
                return []
            if self._items[0].alone or self._limit.now() == 1:
                return [self._items.popleft()]
            deadline = self._monotonic() + self._window
            while self._short_of_company() and (left := deadline - self._monotonic()) > 0:
                self._changed.wait(left)
            largest = self._limit.now()
            batch: list[_Item] = []
            while self._items and not self._items[0].alone and len(batch) < largest:
                batch.append(self._items.popleft())
            return batch

    def _short_of_company(self) -> bool:
        return bool(self._announced) and len(self._items) < self._limit.now() and not self._closed

    def _run(self, batch: list[_Item]) -> None:
        try:
            with self._pass(batch):
                answers = list(zip(batch, self._infer([item.value for item in batch]), strict=True))
        except Exception as error:  # noqa: BLE001  # whatever the network raises belongs to the photos
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            if isinstance(error, BatchTooLargeError):
                self._limit.exceeded(len(batch))
        else:
            for item, matte in answers:
                item.future.set_result(BatchResult(matte, len(batch)))
            return
        # Only out here: within `except`, the error holds on to whatever the failed pass had in memory.
        middle = len(batch) // 2
        self._run(batch[:middle])
        self._run(batch[middle:])

    @contextmanager
    def _pass(self, batch: list[_Item]) -> Iterator[None]:
        """One pass serves several jobs: it is part of the first one's trace, and the others' are linked with it."""
        spans = [item.span for item in batch if item.span is not None]
        if not spans:
            yield
            return
        first, *others = spans
        links = [span.traceparent for span in others]
        with self._tracer.span(
            "network_pass", parent=first.traceparent, links=links, batch_size=len(batch)
        ) as pass_span:
            for span in others:
                span.link(pass_span.traceparent)
            yield
