"""A process may die at any line. Each test lets it die before every single operation on the store and the publisher
(or lose its answer), delivers again until nobody complains, and looks at what is there in the end."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pytest

from events.errors import TransientError
from events.messages import ResultFailed
from tests.fakes import BlindMattes, Crash
from tests.unit.examples import MODEL
from tests.unit.scene import BUCKETS, RECIPES, Scene, photo

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.scene import Job

_MOST_DELIVERIES: Final = 3

Fault = tuple[type[BaseException], bool]

every_fault = pytest.mark.parametrize(
    "fault",
    [(Crash, False), (Crash, True), (TransientError, False), (TransientError, True)],
    ids=["crash-before", "crash-after", "failure", "lost-answer"],
)


def operations(prepare: Callable[[Scene], Callable[[], None]]) -> list[str]:
    """What one undisturbed delivery does."""
    scene = Scene()
    deliver = prepare(scene)
    before = len(scene.faults.operations)
    deliver()
    return scene.faults.operations[before:]


def disturbed(prepare: Callable[[Scene], Callable[[], None]], nth: int, fault: Fault) -> Scene:
    """The world after a fault at the `nth` operation, and as many deliveries as it takes."""
    error, after = fault
    scene = Scene()
    deliver = prepare(scene)
    scene.faults.arm(nth, error("the network is gone"), after=after)
    for _ in range(_MOST_DELIVERIES):
        try:
            deliver()
        except (Crash, TransientError):
            continue
        deliver()  # and once more, as at-least-once allows
        return scene
    raise AssertionError("it never came through")


def assert_done_once(scene: Scene, job: Job) -> None:
    completed = scene.completed(job)
    assert scene.records(job) == ["awaiting_upload.json", "done.json", "queued.json"]
    assert [result.recipe for result in completed.results] == list(job.recipes)
    for result in completed.results:
        stored = scene.store.peek(result.object.bucket, result.object.name)
        assert stored is not None
        assert (stored.stat.size, stored.stat.content_type) == (result.bytes, result.content_type)
    costs = scene.costs(job)
    assert sorted(cost.recipe or "" for cost in costs) == sorted(recipe.digest() for recipe in job.recipes)
    assert sum((cost.usd for cost in costs), Decimal(0)) == completed.cost_usd > 0
    assert scene.spend() == [int(completed.cost_usd.scaleb(9))]


@every_fault
def test_a_job_on_a_worker_completes_exactly_once(fault: Fault) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        _, message = scene.queued()
        return lambda: scene.processor().process(message)

    trail = operations(prepare)
    assert len(trail) > 10
    for nth in range(1, len(trail) + 1):
        scene = disturbed(prepare, nth, fault)
        job = only_job(scene)
        assert_done_once(scene, job)
        assert [result.cache for result in scene.completed(job).results] == ["miss", "miss"]


@every_fault
def test_a_job_that_fails_for_good_is_told_once(fault: Fault) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        _, message = scene.queued()
        return lambda: scene.processor(BlindMattes(MODEL)).process(message)

    for nth in range(1, len(operations(prepare)) + 1):
        scene = disturbed(prepare, nth, fault)
        [event] = {event.id: event for event in scene.publisher.events("results")}.values()
        assert isinstance(event.data, ResultFailed)
        assert event.data.code == "no_foreground"
        assert len(scene.publisher.distinct("results")) == 1
        [cost] = scene.costs(only_job(scene))
        assert scene.spend() == [int(cost.usd.scaleb(9))]


@every_fault
def test_an_upload_of_a_new_photo_is_sent_to_one_worker_once(fault: Fault) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        job = scene.upload()
        return lambda: scene.on_upload()(scene.finalized(job))

    for nth in range(1, len(operations(prepare)) + 1):
        scene = disturbed(prepare, nth, fault)
        job = only_job(scene)
        message = scene.message(job)
        assert scene.records(job) == ["awaiting_upload.json", "queued.json"]
        assert not scene.publisher.on("results")
        scene.processor().process(message)
        assert_done_once(scene, job)


@every_fault
def test_an_upload_whose_results_exist_completes_exactly_once(fault: Fault) -> None:
    first: list[Job] = []

    def prepare(scene: Scene) -> Callable[[], None]:
        first[:] = [scene.run()]
        job = scene.upload()
        return lambda: scene.on_upload()(scene.finalized(job))

    for nth in range(1, len(operations(prepare)) + 1):
        scene = disturbed(prepare, nth, fault)
        job = only_job(scene, besides=first[0].job_id)
        completed = scene.completed(job)
        assert scene.records(job) == ["awaiting_upload.json", "done.json", "queued.json"]
        assert [result.cache for result in completed.results] == ["hit", "hit"]
        costs = scene.costs(job, kind="function")
        assert sum((cost.usd for cost in costs), Decimal(0)) == completed.cost_usd > 0
        assert int(completed.cost_usd.scaleb(9)) in scene.spend()
        assert len(scene.spend()) == 2


@every_fault
def test_an_upload_whose_matte_exists_is_sent_to_the_cpu_once(fault: Fault) -> None:
    first: list[Job] = []

    def prepare(scene: Scene) -> Callable[[], None]:
        first[:] = [scene.run(recipes=RECIPES[:1])]
        job = scene.upload(recipes=RECIPES[1:])
        return lambda: scene.on_upload()(scene.finalized(job))

    for nth in range(1, len(operations(prepare)) + 1):
        scene = disturbed(prepare, nth, fault)
        job = only_job(scene, besides=first[0].job_id)
        message = scene.message(job, "renders")
        assert message.data.lane == "cpu"
        scene.processor().process(message)
        assert [result.cache for result in scene.completed(job).results] == ["matte"]


@every_fault
def test_an_upload_that_is_no_photo_is_refused_once(fault: Fault) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        job = scene.upload(b"<html>" * 100)
        return lambda: scene.on_upload()(scene.finalized(job))

    for nth in range(1, len(operations(prepare)) + 1):
        scene = disturbed(prepare, nth, fault)
        [message] = scene.publisher.distinct("results")
        assert '"code":"unsupported_format"' in message.data
        assert scene.records(only_job(scene)) == ["awaiting_upload.json", "failed-0.json"]
        assert len(scene.spend()) == 1


@every_fault
def test_a_removal_that_is_repeated_leaves_nothing_behind(fault: Fault) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        job = scene.run()
        return lambda: scene.desk.removal.remove(job.tenant, job.job_id)

    for nth in range(1, len(operations(prepare)) + 1):
        scene = disturbed(prepare, nth, fault)
        assert [scene.store.names(bucket) for bucket in (BUCKETS.uploads, BUCKETS.mattes, BUCKETS.results)] == [()] * 3
        assert not [name for name in scene.store.names(BUCKETS.jobs) if name.startswith("~references/")]


@every_fault
def test_a_job_that_is_deleted_while_a_worker_is_at_it_leaves_nothing_behind(fault: Fault) -> None:
    """The shopper deletes in the middle of the computation; then the worker dies at any later line."""

    def prepare(scene: Scene) -> Callable[[], None]:
        job, message = scene.queued()
        scene.processor_mattes = scene.deleting_mattes(job)
        return lambda: scene.processor(scene.processor_mattes).process(message)

    for nth in range(1, len(operations(prepare)) + 1):
        assert_nothing_left(disturbed(prepare, nth, fault))


def assert_nothing_left(scene: Scene) -> None:
    job = only_job(scene)
    assert scene.computed(job) == []
    assert scene.references(job) == []
    assert scene.store.names(BUCKETS.uploads) == ()


def only_job(scene: Scene, *, besides: str = "") -> Job:
    [job] = [job for job in scene.jobs if job.job_id != besides]
    return job


def test_photos_of_different_seeds_differ() -> None:
    assert photo(0) != photo(1)
