from __future__ import annotations

import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gpu_worker.batcher import Batcher, BatchResult
from gpu_worker.engines import BatchTooLargeError
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

_HOUR = 3600.0


class Network:
    """Doubles its inputs. Fails on a batch with a negative one, and on one of more than `room`.

    While the gate is closed it is busy.
    """

    def __init__(self) -> None:
        self.room = 1000
        self.batches: list[list[float]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        self.batches.append([float(value) for value in inputs])
        assert self.gate.wait(5)
        if len(inputs) > self.room:
            raise BatchTooLargeError(f"no memory for {len(inputs)}")
        if any(float(value) < 0 for value in inputs):
            raise ValueError("poison")
        return [value * 2 for value in inputs]


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def batcher(network: Network) -> Iterator[Batcher]:
    """Its window is so long that a test which runs into it fails."""
    batcher = Batcher(network, largest=4, window=_HOUR)
    yield batcher
    batcher.close()


@pytest.fixture
def submit(batcher: Batcher) -> Iterator[Callable[..., Future[BatchResult]]]:
    """Submit from a thread of its own, and return once the photo waits in its place."""
    with ThreadPoolExecutor(16) as threads:

        def submit(value: float, **how: object) -> Future[BatchResult]:
            place = batcher.waiting + 1
            future = threads.submit(batcher.submit, np.float32(value), **how)  # type: ignore[arg-type]  # a scalar will do
            until(lambda: batcher.waiting >= place or future.done())
            return future

        yield submit


def occupy(network: Network, batcher: Batcher) -> Future[BatchResult]:
    """Let one photo keep the network busy until its gate opens."""
    network.gate.clear()
    future: Future[BatchResult] = Future()
    threading.Thread(target=lambda: future.set_result(batcher.submit(np.float32(100)))).start()  # type: ignore[arg-type]  # a scalar will do
    until(lambda: len(network.batches) == 1)
    return future


def answers(futures: Sequence[Future[BatchResult]]) -> list[tuple[float, int]]:
    return [(float(future.result(5).matte), future.result(5).batch_size) for future in futures]


def test_a_photo_alone_runs_at_once(submit: Callable[..., Future[BatchResult]]) -> None:
    assert answers([submit(1)]) == [(2, 1)]


def test_what_arrives_while_the_network_is_busy_forms_the_next_batch(
    network: Network, batcher: Batcher, submit: Callable[..., Future[BatchResult]]
) -> None:
    first = occupy(network, batcher)
    waiting = [submit(value) for value in (1, 2, 3)]
    network.gate.set()
    assert answers(waiting) == [(2, 3), (4, 3), (6, 3)]
    assert answers([first]) == [(200, 1)]
    assert network.batches == [[100], [1, 2, 3]]


def test_a_batch_is_never_larger_than_the_network_takes(
    network: Network, batcher: Batcher, submit: Callable[..., Future[BatchResult]]
) -> None:
    occupy(network, batcher)
    waiting = [submit(value) for value in range(1, 7)]
    network.gate.set()
    assert [size for _, size in answers(waiting)] == [4, 4, 4, 4, 2, 2]


def test_a_photo_waits_for_one_that_is_announced(
    network: Network, batcher: Batcher, submit: Callable[..., Future[BatchResult]]
) -> None:
    with batcher.announced() as ticket:
        first = submit(1)
        second = submit(2, ticket=ticket)
        assert answers([first, second]) == [(2, 2), (4, 2)]
    assert network.batches == [[1, 2]]


def test_a_photo_does_not_wait_for_itself(batcher: Batcher, submit: Callable[..., Future[BatchResult]]) -> None:
    with batcher.announced() as ticket:
        assert answers([submit(1, ticket=ticket)]) == [(2, 1)]


def test_a_photo_waits_no_longer_than_the_window(network: Network) -> None:
    batcher = Batcher(network, largest=4, window=0.02)
    with batcher.announced():
        assert batcher.submit(np.float32(1)).batch_size == 1  # type: ignore[arg-type]  # a scalar will do
    batcher.close()


def test_a_photo_that_was_announced_and_fails_before_it_comes_holds_nobody_up(
    batcher: Batcher, submit: Callable[..., Future[BatchResult]]
) -> None:
    with batcher.announced():
        first = submit(1)
        assert not first.done()
    assert answers([first]) == [(2, 1)]


def test_a_full_batch_waits_for_nobody(batcher: Batcher, submit: Callable[..., Future[BatchResult]]) -> None:
    with batcher.announced():
        assert [size for _, size in answers([submit(value) for value in (1, 2, 3, 4)])] == [4] * 4


def test_a_photo_that_is_to_run_alone_does(
    network: Network, batcher: Batcher, submit: Callable[..., Future[BatchResult]]
) -> None:
    occupy(network, batcher)
    waiting = [submit(1), submit(2, alone=True), submit(3), submit(4)]
    network.gate.set()
    assert answers(waiting) == [(2, 1), (4, 1), (6, 2), (8, 2)]
    assert network.batches == [[100], [1], [2], [3, 4]]


def test_a_photo_that_is_to_run_alone_waits_for_nobody(
    batcher: Batcher, submit: Callable[..., Future[BatchResult]]
) -> None:
    with batcher.announced():
        assert answers([submit(1, alone=True)]) == [(2, 1)]


@pytest.mark.parametrize("poison", [0, 1, 2, 3])
def test_a_poison_photo_fails_only_itself(
    network: Network, batcher: Batcher, submit: Callable[..., Future[BatchResult]], poison: int
) -> None:
    occupy(network, batcher)
    values = [float(value) for value in (1, 2, 3, 4)]
    values[poison] = -1
    waiting = [submit(value) for value in values]
    network.gate.set()
    healthy = [future for index, future in enumerate(waiting) if index != poison]
    assert [matte for matte, _ in answers(healthy)] == [2 * value for value in values if value > 0]
    with pytest.raises(ValueError, match="poison"):
        waiting[poison].result(5)


def test_a_batch_that_fails_is_split_in_halves(
    network: Network, batcher: Batcher, submit: Callable[..., Future[BatchResult]]
) -> None:
    """Most of it still goes through together."""
    occupy(network, batcher)
    waiting = [submit(value) for value in (-1, 2, 3, 4)]
    network.gate.set()
    assert answers(waiting[1:]) == [(4, 1), (6, 2), (8, 2)]
    assert network.batches[1:] == [[-1, 2, 3, 4], [-1, 2], [-1], [2], [3, 4]]


def test_after_a_failure_the_next_photo_is_served(submit: Callable[..., Future[BatchResult]]) -> None:
    assert isinstance(submit(-1).exception(5), ValueError)
    assert answers([submit(1)]) == [(2, 1)]


def test_a_batch_beyond_the_devices_memory_is_split_and_the_next_ones_are_smaller(
    network: Network, batcher: Batcher, submit: Callable[..., Future[BatchResult]]
) -> None:
    network.room = 2
    occupy(network, batcher)
    waiting = [submit(value) for value in range(1, 9)]
    network.gate.set()
    assert answers(waiting) == [(2 * value, 2) for value in range(1, 9)]
    assert network.batches[1:] == [[1, 2, 3, 4], [1, 2], [3, 4], [5, 6], [7, 8]]


def test_a_photo_that_fits_alone_is_never_failed_by_the_devices_memory(
    network: Network, batcher: Batcher, submit: Callable[..., Future[BatchResult]]
) -> None:
    network.room = 1
    occupy(network, batcher)
    waiting = [submit(value) for value in (1, 2, 3, 4, 5)]
    network.gate.set()
    assert answers(waiting) == [(2 * value, 1) for value in (1, 2, 3, 4, 5)]
    assert [len(batch) for batch in network.batches[1:]] == [4, 2, 1, 1, 2, 1, 1, 1]


def test_a_photo_that_does_not_even_fit_alone_hears_of_it(
    network: Network, submit: Callable[..., Future[BatchResult]]
) -> None:
    network.room = 0
    assert isinstance(submit(1).exception(5), BatchTooLargeError)


def test_another_failure_makes_no_batch_smaller(
    network: Network, batcher: Batcher, submit: Callable[..., Future[BatchResult]]
) -> None:
    occupy(network, batcher)
    waiting = [submit(value) for value in (-1, 2, 3, 4, 5, 6, 7, 8)]
    network.gate.set()
    assert [size for _, size in answers(waiting[4:])] == [4] * 4


class Tensors:
    """What a pass has in memory."""


def test_what_a_failed_pass_had_in_memory_is_gone_before_its_halves_run() -> None:
    """An error that is still being handled would hold on to it."""
    held: list[weakref.ref[Tensors]] = []

    def infer(inputs: Sequence[Array]) -> list[Array]:
        assert all(tensors() is None for tensors in held)
        tensors = Tensors()
        held.append(weakref.ref(tensors))
        if len(inputs) > 1:
            raise ValueError("poison")
        return list(inputs)

    batcher = Batcher(infer, largest=2, window=_HOUR)
    with ThreadPoolExecutor(2) as threads, batcher.announced() as ticket:
        first = threads.submit(batcher.submit, np.float32(1))  # type: ignore[arg-type]  # a scalar will do
        until(lambda: batcher.waiting == 1)
        second = threads.submit(batcher.submit, np.float32(2), ticket=ticket)  # type: ignore[arg-type]  # likewise
        assert answers([first, second]) == [(1, 1), (2, 1)]
    batcher.close()
    assert len(held) == 3


def test_a_network_that_answers_too_few_leaves_nobody_waiting() -> None:
    def forgetful(inputs: Sequence[Array]) -> list[Array]:
        return list(inputs[:1])

    batcher = Batcher(forgetful, largest=2, window=_HOUR)
    with ThreadPoolExecutor(2) as threads, batcher.announced() as ticket:
        first = threads.submit(batcher.submit, np.float32(1))  # type: ignore[arg-type]  # a scalar will do
        until(lambda: batcher.waiting == 1)
        second = threads.submit(batcher.submit, np.float32(2), ticket=ticket)  # type: ignore[arg-type]  # likewise
        assert answers([first, second]) == [(1, 1), (2, 1)]
    batcher.close()


def test_closing_finishes_what_was_submitted_and_takes_no_more(
    network: Network, batcher: Batcher, submit: Callable[..., Future[BatchResult]]
) -> None:
    occupy(network, batcher)
    waiting = [submit(1), submit(2)]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    network.gate.set()
    closing.join(5)
    assert not closing.is_alive()
    assert [matte for matte, _ in answers(waiting)] == [2, 4]
    with pytest.raises(RuntimeError, match="closed"):
        batcher.submit(np.float32(3))  # type: ignore[arg-type]  # a scalar will do


def test_closing_does_not_wait_for_company(batcher: Batcher, submit: Callable[..., Future[BatchResult]]) -> None:
    with batcher.announced():
        first = submit(1)
        batcher.close()
        assert answers([first]) == [(2, 1)]


def test_a_batch_holds_at_least_one() -> None:
    with pytest.raises(ValueError, match="largest"):
        Batcher(lambda _inputs: [], largest=0)
