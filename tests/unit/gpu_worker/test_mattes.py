from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from events.errors import TransientError
from events.messages import JobRequested
from gpu_worker.mattes import NetworkMattes, NetworkUnhealthyError
from imaging.photo import Photo
from jobs.timing import Stopwatch
from tests.fakes import Decoded, FakeEngine, SettableClock
from tests.unit.examples import EXAMPLES
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.processing import ComputedMatte

[JOB] = [message for message in EXAMPLES if isinstance(message, JobRequested)]


def gray(value: int) -> Photo:
    return Photo(np.full((6, 8, 3), value, np.uint8))


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def mattes(engine: FakeEngine, clock: SettableClock) -> Iterator[NetworkMattes]:
    mattes = NetworkMattes(engine, clock, window=0)
    mattes.warm_up()
    yield mattes
    mattes.close()


def compute(mattes: NetworkMattes, photo: Photo, *, alone: bool = False) -> ComputedMatte:
    return mattes.compute(Decoded(photo), JOB, alone=alone, watch=Stopwatch())


def test_the_network_looks_at_a_smaller_photo_where_there_is_one(mattes: NetworkMattes) -> None:
    smaller = Photo(np.full((3, 4, 3), 204, np.uint8))
    made = mattes.compute(Decoded(gray(51), smaller), JOB, alone=False, watch=Stopwatch())
    assert made.alpha.shape == (6, 8)
    assert np.all(made.alpha == 204)


def test_a_matte_has_the_photos_size(mattes: NetworkMattes) -> None:
    made = compute(mattes, gray(51))
    assert made.alpha.dtype == np.uint8
    assert (made.alpha.shape, made.batch_size) == ((6, 8), 1)
    assert np.all(made.alpha == 51)


def test_each_stage_is_timed(mattes: NetworkMattes) -> None:
    watch = Stopwatch()
    mattes.compute(Decoded(gray(51)), JOB, alone=False, watch=watch)
    assert set(watch.seconds) == {"decode", "prepare", "network", "upsample"}


def test_the_network_sees_a_transparent_photo_over_white(mattes: NetworkMattes) -> None:
    invisible = Photo(np.zeros((6, 8, 3), np.uint8), alpha=np.zeros((6, 8), np.uint8))
    assert np.all(compute(mattes, invisible).alpha == 255)


def test_a_poison_photo_leaves_the_worker_healthy(engine: FakeEngine, mattes: NetworkMattes) -> None:
    with pytest.raises(TransientError, match="poison") as failure:
        compute(mattes, gray(0))
    assert not isinstance(failure.value, NetworkUnhealthyError)
    assert mattes.healthy
    assert compute(mattes, gray(51)).batch_size == 1


def test_a_poison_photo_does_not_fail_those_it_shares_a_batch_with(
    engine: FakeEngine, mattes: NetworkMattes, caplog: pytest.LogCaptureFixture
) -> None:
    engine.gate.clear()
    with ThreadPoolExecutor(4) as threads:
        busy = threads.submit(compute, mattes, gray(51))
        until(lambda: engine.batches == [1, 1])
        neighbours = [threads.submit(compute, mattes, gray(value)) for value in (51, 0, 102)]
        until(lambda: mattes.waiting == 3)
        engine.gate.set()
        results = [busy, neighbours[0], neighbours[2]]
        assert [int(future.result(5).alpha[0, 0]) for future in results] == [51, 51, 102]
        assert isinstance(neighbours[1].exception(5), TransientError)
    assert mattes.healthy
    assert caplog.messages == ["network_failed"]


def test_a_network_that_fails_on_a_blank_photo_too_is_unhealthy(engine: FakeEngine, mattes: NetworkMattes) -> None:
    engine.broken = True
    with pytest.raises(NetworkUnhealthyError) as failure:
        compute(mattes, gray(51))
    assert failure.value.retryable
    assert not mattes.healthy


def test_a_worker_that_was_unhealthy_stays_so(engine: FakeEngine, mattes: NetworkMattes) -> None:
    """After a CUDA failure nothing in the process can be trusted, whatever works again."""
    engine.broken = True
    with pytest.raises(NetworkUnhealthyError):
        compute(mattes, gray(51))
    engine.broken = False
    compute(mattes, gray(51))
    assert not mattes.healthy


def test_a_second_attempt_runs_alone(engine: FakeEngine, mattes: NetworkMattes) -> None:
    engine.gate.clear()
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(compute, mattes, gray(51))
        until(lambda: engine.batches == [1, 1])
        alone = threads.submit(compute, mattes, gray(51), alone=True)
        until(lambda: mattes.waiting == 1)
        others = [threads.submit(compute, mattes, gray(51)) for _ in range(2)]
        until(lambda: mattes.waiting == 3)
        engine.gate.set()
        assert [future.result(5).batch_size for future in (first, alone, *others)] == [1, 1, 2, 2]


def test_a_job_whose_photo_was_there_before_the_worker_was_ready_waited_for_the_start(
    engine: FakeEngine, clock: SettableClock
) -> None:
    mattes = NetworkMattes(engine, clock)
    early = msgspec.structs.replace(JOB, requested_at=clock())
    assert mattes.cold_start(early)
    clock.advance(20)
    mattes.warm_up()
    assert mattes.cold_start(early)
    assert not mattes.cold_start(msgspec.structs.replace(JOB, requested_at=clock() + timedelta(seconds=1)))
    mattes.close()


def test_a_warm_pass_that_fails_is_the_starts_failure(engine: FakeEngine, clock: SettableClock) -> None:
    engine.broken = True
    mattes = NetworkMattes(engine, clock)
    with pytest.raises(RuntimeError, match="CUDA"):
        mattes.warm_up()
    mattes.close()
