from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gpu_worker.batcher import Batcher
from tests.unit.tracing import Recorder, context_of
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from numpy.typing import NDArray

    Array = NDArray[np.float32]


class Gate:
    """A network that is busy while it is closed, and fails on a batch with a negative photo."""

    def __init__(self) -> None:
        self.calls = 0
        self.open = threading.Event()
        self.open.set()

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        self.calls += 1
        assert self.open.wait(5)
        if any(float(value.max()) < 0 for value in inputs):
            raise ValueError("poison")
        return list(inputs)


def pass_through(batcher: Batcher, recorder: Recorder, name: str, value: float = 1) -> None:
    """One photo of a job whose span has that name."""
    with recorder.tracer.span(name, parent=None) as span:
        batcher.submit(np.full(1, value, np.float32), span=span)


def share_a_pass(recorder: Recorder, values: Sequence[float]) -> None:
    """Let photos of jobs named `0`, `1`, ... wait together."""
    gate = Gate()
    batcher = Batcher(gate, largest=4, tracer=recorder.tracer)
    with ThreadPoolExecutor(5) as threads:
        gate.open.clear()
        jobs: list[Future[Any]] = [threads.submit(batcher.submit, np.ones(1, np.float32))]
        until(lambda: gate.calls == 1)
        for number, value in enumerate(values):
            jobs.append(threads.submit(pass_through, batcher, recorder, str(number), value))
            until(partial(_waits, batcher, number + 1))
        gate.open.set()
    batcher.close()
    for job in jobs:
        job.exception()


def _waits(batcher: Batcher, count: int) -> bool:
    return batcher.waiting == count


def test_a_pass_for_one_job_is_part_of_its_trace() -> None:
    recorder = Recorder()
    batcher = Batcher(Gate(), largest=4, tracer=recorder.tracer)
    pass_through(batcher, recorder, "job")
    batcher.close()
    assert recorder.parent(recorder.one("network_pass")) == "job"
    assert recorder.attributes("network_pass") == {"batch_size": 1}


def test_a_pass_for_several_jobs_is_linked_with_each_of_them_both_ways() -> None:
    recorder = Recorder()
    share_a_pass(recorder, [1, 1, 1])
    shared = recorder.one("network_pass")
    assert recorder.parent(shared) == "0"
    assert recorder.attributes("network_pass") == {"batch_size": 3}
    others = [context_of(recorder.one(name)) for name in ("1", "2")]
    assert [link.context.span_id for link in shared.links] == [other.span_id for other in others]
    assert len({context_of(recorder.one(name)).trace_id for name in ("0", "1", "2")}) == 3
    for name in ("1", "2"):
        [link] = recorder.one(name).links
        assert link.context.span_id == context_of(shared).span_id


def test_a_pass_that_fails_says_so_and_its_halves_are_passes_of_their_own() -> None:
    recorder = Recorder()
    share_a_pass(recorder, [1, -1])
    passes = [span for span in recorder.spans if span.name == "network_pass"]
    assert [(recorder.parent(span), (span.attributes or {}).get("error.type")) for span in passes] == [
        ("0", "ValueError"),
        ("0", None),
        ("1", "ValueError"),
    ]


@pytest.mark.parametrize("ratio", [0, 1])
def test_work_without_a_span_makes_none(ratio: float) -> None:
    recorder = Recorder(ratio=ratio)
    batcher = Batcher(Gate(), largest=4, tracer=recorder.tracer)
    batcher.submit(np.ones(1, np.float32))
    batcher.close()
    assert recorder.spans == ()
