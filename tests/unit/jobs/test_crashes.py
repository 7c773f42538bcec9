"""A process may die at any line.

Each test lets something go wrong at every single operation on the store and the publisher, one world for each,
delivers again until nobody complains, and looks at what is there in the end.
"""

from __future__ import annotations

import itertools
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import pytest

from events.errors import TransientError
from events.recipe import Recipe
from tests.fakes import BlindMattes, Crash, InstantMattes
from tests.unit.examples import MODEL
from tests.unit.functions.api import Api
from tests.unit.scene import BUCKETS, RECIPES, Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from events.messages import JobRequested
    from tests.unit.functions.api import Reply
    from tests.unit.scene import Job

    Prepare = Callable[[Scene], Callable[[], None]]
    Ask = Callable[[Api], Reply]

_MOST_DELIVERIES: Final = 3


class Fault(NamedTuple):
    """What goes wrong, and whether the operation has happened by then: only its answer is lost."""

    error: type[BaseException]
    after: bool


every_fault = pytest.mark.parametrize(
    "fault",
    [Fault(Crash, after=False), Fault(Crash, after=True), Fault(TransientError, after=True)],
    ids=["crash-before", "crash-after", "lost-answer"],
)


def disturbed(prepare: Prepare, fault: Fault) -> Iterator[Scene]:
    """For every operation of an undisturbed delivery: the world after a fault there, and enough deliveries."""
    calm = Scene()
    deliver = prepare(calm)
    before = len(calm.faults.operations)
    deliver()
    for nth in range(1, len(calm.faults.operations) - before + 1):
        scene = Scene()
        deliver = prepare(scene)
        scene.faults.arm(nth, fault.error("the network is gone"), after=fault.after)
        assert failures(deliver) == 1, scene.faults.operations
        deliver()  # once more, as at-least-once allows
        yield scene


def failures(deliver: Callable[[], None]) -> int:
    """How many deliveries failed before one came through."""
    for failed in range(_MOST_DELIVERIES):
        try:
            deliver()
        except (Crash, TransientError):
            continue
        return failed
    return _MOST_DELIVERIES


def assert_done_once(scene: Scene, job: Job, *, caches: list[str], kind: str = "gpu") -> None:
    """One record, one event, every result as told, and each part of the cost once."""
    completed = scene.completed(job)
    assert scene.records(job) == ["awaiting_upload.json", "done.json", "queued.json"]
    assert [result.recipe for result in completed.results] == list(job.recipes)
    assert [result.cache for result in completed.results] == caches
    for result in completed.results:
        stored = scene.store.peek(result.object.bucket, result.object.name)
        assert stored is not None
        assert (stored.stat.size, stored.stat.content_type) == (result.bytes, result.content_type)
    costs = scene.costs(job, kind=kind)
    assert [cost.recipe for cost in costs] == [recipe.digest() for recipe in job.recipes]
    assert sum((cost.usd for cost in costs), Decimal(0)) == completed.cost_usd > 0
    assert scene.spend(job) == [int(completed.cost_usd.scaleb(9))]


@every_fault
def test_a_job_on_a_worker_completes_exactly_once(fault: Fault) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        _, message = scene.queued()
        return lambda: scene.processor().process(message)

    worlds = list(disturbed(prepare, fault))
    assert len(worlds) >= 12
    for scene in worlds:
        assert_done_once(scene, scene.jobs[0], caches=["miss", "miss"])


@every_fault
def test_a_job_that_finds_a_damaged_matte_completes_exactly_once(fault: Fault) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        scene.run(recipes=RECIPES[:1])
        scene.damage_mattes()
        job = scene.upload(recipes=RECIPES[1:])
        assert scene.send(job) == "matte"
        return lambda: scene.processor().process(scene.message(job, "renders"))

    for scene in disturbed(prepare, fault):
        assert_done_once(scene, scene.jobs[1], caches=["miss"])


@every_fault
def test_a_job_that_fails_for_good_is_told_once(fault: Fault) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        _, message = scene.queued()
        return lambda: scene.processor(BlindMattes(MODEL)).process(message)

    for scene in disturbed(prepare, fault):
        [failed] = scene.publisher.distinct("results")
        [cost] = scene.costs(scene.jobs[0])
        assert '"code":"no_foreground"' in failed.data
        assert scene.records(scene.jobs[0]) == ["awaiting_upload.json", "failed-0.json", "queued.json"]
        assert scene.spend(scene.jobs[0]) == [int(cost.usd.scaleb(9))]


@every_fault
def test_an_upload_of_a_new_photo_is_sent_to_one_worker_once(fault: Fault) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        job = scene.upload()
        return lambda: scene.on_upload()(scene.finalized(job))

    for scene in disturbed(prepare, fault):
        [job] = scene.jobs
        assert scene.records(job) == ["awaiting_upload.json", "queued.json"]
        assert not scene.publisher.on("results")
        assert len(scene.costs(job, kind="function")) == 1
        scene.processor().process(scene.message(job))
        assert_done_once(scene, job, caches=["miss", "miss"])


@every_fault
def test_an_upload_whose_matte_exists_is_sent_to_the_cpu_once(fault: Fault) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        scene.run(recipes=RECIPES[:1])
        job = scene.upload(recipes=RECIPES[1:])
        return lambda: scene.on_upload()(scene.finalized(job))

    for scene in disturbed(prepare, fault):
        job = scene.jobs[1]
        message = scene.message(job, "renders")
        assert message.data.lane == "cpu"
        assert len(scene.costs(job, kind="function")) == 1
        scene.processor().process(message)
        assert_done_once(scene, job, caches=["matte"])


@every_fault
def test_an_upload_whose_results_exist_completes_exactly_once(fault: Fault) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        scene.run()
        job = scene.upload()
        return lambda: scene.on_upload()(scene.finalized(job))

    for scene in disturbed(prepare, fault):
        assert_done_once(scene, scene.jobs[1], caches=["hit", "hit"], kind="function")


@every_fault
def test_an_upload_that_is_no_photo_is_refused_once(fault: Fault) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        job = scene.upload(b"<html>" * 100)
        return lambda: scene.on_upload()(scene.finalized(job))

    for scene in disturbed(prepare, fault):
        [failed] = scene.publisher.distinct("results")
        assert '"code":"unsupported_format"' in failed.data
        assert scene.records(scene.jobs[0]) == ["awaiting_upload.json", "failed-0.json"]
        assert len(scene.spend(scene.jobs[0])) == 1


@every_fault
def test_a_removal_leaves_nothing_behind(fault: Fault) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        job = scene.run()
        return lambda: scene.desk.removal.remove(job.tenant, job.job_id)

    for scene in disturbed(prepare, fault):
        assert_nothing_left(scene)


@pytest.mark.parametrize("mattes", [InstantMattes, BlindMattes], ids=["a subject", "no subject"])
@every_fault
def test_a_job_that_is_deleted_in_the_middle_leaves_nothing_behind(mattes: type[InstantMattes], fault: Fault) -> None:
    """The shopper deletes during the computation; then the worker dies at any later line."""

    def prepare(scene: Scene) -> Callable[[], None]:
        _, message = scene.queued()

        def delete(job: JobRequested) -> None:
            scene.desk.removal.remove(job.tenant, job.job_id)

        return lambda: scene.processor(mattes(MODEL, during=delete)).process(message)

    for scene in disturbed(prepare, fault):
        assert_nothing_left(scene)
        assert not scene.publisher.on("results")


def deleted_at_each_line(prepare: Prepare, *, doomed: slice) -> Iterator[Scene]:
    """For every operation of one delivery: the world where the shopper deleted the `doomed` jobs right before it."""
    calm = Scene()
    deliver = prepare(calm)
    before = len(calm.faults.operations)
    deliver()
    for nth in range(1, len(calm.faults.operations) - before + 1):
        scene = Scene()
        deliver = prepare(scene)
        scene.faults.arm(nth, partial(remove_all, scene, scene.jobs[doomed]))
        assert failures(deliver) < _MOST_DELIVERIES
        yield scene


def remove_all(scene: Scene, jobs: list[Job]) -> None:
    for job in jobs:
        scene.desk.removal.remove(job.tenant, job.job_id)


def test_a_deletion_before_any_line_of_a_worker_leaves_nothing_behind() -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        _, message = scene.queued()
        return lambda: scene.processor().process(message)

    for scene in deleted_at_each_line(prepare, doomed=slice(-1, None)):
        assert_nothing_left(scene)


@pytest.mark.parametrize("mattes", [InstantMattes, BlindMattes], ids=["completed", "failed"])
def test_a_deletion_keeps_a_job_from_being_told_until_its_events_are_under_way(mattes: type[InstantMattes]) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        _, message = scene.queued()
        return lambda: scene.processor(mattes(MODEL)).process(message)

    for scene in deleted_at_each_line(prepare, doomed=slice(None)):
        [job] = scene.jobs
        deletion = f"create {BUCKETS.jobs}/{job.tenant}/{job.job_id}/deleted.json"
        # The deletion ran within the line before which it came, and removes the upload, then the rest.
        before = scene.faults.operations[scene.faults.operations.index(deletion) - 1]
        assert bool(scene.publisher.on("results")) == before.startswith("publish"), before
        if "done.json" in scene.records(job) or "failed-0.json" in scene.records(job):
            assert scene.costs(job)
        told = len(scene.publisher.on("results"))
        scene.processor().process(scene.message(job))
        assert len(scene.publisher.on("results")) == told


@pytest.mark.parametrize("known", [(), RECIPES[:1], RECIPES], ids=["miss", "matte", "hit"])
def test_a_deletion_before_any_line_of_an_upload_leaves_nothing_of_that_job(known: tuple[Recipe, ...]) -> None:
    def prepare(scene: Scene) -> Callable[[], None]:
        if known:
            scene.run(recipes=known)
        job = scene.upload()
        return lambda: scene.on_upload()(scene.finalized(job))

    for scene in deleted_at_each_line(prepare, doomed=slice(-1, None)):
        scene.work_off(scene.jobs[-1])
        for earlier in scene.jobs[:-1]:
            assert len(scene.computed(earlier)) == 1 + len(known)
        remove_all(scene, scene.jobs[:-1])
        assert_nothing_left(scene)


@pytest.mark.parametrize("known", [RECIPES[:1], RECIPES], ids=["matte", "hit"])
def test_a_deletion_of_every_job_with_the_photo_leaves_nothing_at_all(known: tuple[Recipe, ...]) -> None:
    """The earlier job's results are kept for the later one, which is then deleted before it knew of them."""

    def prepare(scene: Scene) -> Callable[[], None]:
        scene.run(recipes=known)
        job = scene.upload()
        return lambda: scene.on_upload()(scene.finalized(job))

    for scene in deleted_at_each_line(prepare, doomed=slice(None)):
        scene.work_off(scene.jobs[-1])
        assert_nothing_left(scene)


def restyled(api: Api, recipes: tuple[Recipe, ...]) -> Reply:
    [source, *_] = api.scene.jobs
    wanted = {"source_job_id": source.job_id, "recipes": msgspec.to_builtins(recipes)}
    return api.restyle(wanted, token=source.token)


def asked_by_hash(api: Api, recipes: tuple[Recipe, ...]) -> Reply:
    [known, *_] = api.scene.jobs
    wanted = {"content_type": "image/png", "size": len(known.data), "sha256": known.sha256}
    return api.request_upload(wanted | {"recipes": msgspec.to_builtins(recipes)})


every_request = pytest.mark.parametrize(
    "ask",
    [
        partial(restyled, recipes=RECIPES),
        partial(restyled, recipes=(Recipe(format="mask"),)),
        partial(asked_by_hash, recipes=RECIPES),
    ],
    ids=["restyle, hit", "restyle, matte", "hash"],
)


def lines_of(ask: Ask) -> range:
    """Of a request for a photo that one job is done with."""
    calm = Api()
    calm.scene.run()
    before = len(calm.scene.faults.operations)
    assert ask(calm).status in {HTTPStatus.OK, HTTPStatus.ACCEPTED}
    return range(1, len(calm.scene.faults.operations) - before + 1)


def delete_by_token(api: Api, reply: Reply | None) -> None:
    """What the client of a request can do, if it has a token."""
    if reply is not None and "token" in reply.json:
        assert api.delete_job(reply.json["job_id"], token=reply.json["token"]).status == HTTPStatus.NO_CONTENT


@pytest.mark.parametrize("late", [False, True], ids=["worked off first", "worked off late"])
@every_request
@every_fault
def test_a_request_that_fails_keeps_nothing_of_a_photo_that_is_then_deleted(
    fault: Fault, ask: Ask, *, late: bool
) -> None:
    """Nobody comes again for its job, and nobody but this request could give away its token.

    After its last line it is answered: a death there is one of the network, which keeps the answer from the client.
    """
    answered = set()
    for nth in lines_of(ask)[: -1 if fault.after and fault.error is Crash else None]:
        api = Api()
        scene, job = api.scene, api.scene.run()
        scene.faults.arm(nth, fault.error("the network is gone"), after=fault.after)
        reply = None
        with suppress(Crash):
            reply = ask(api)
        if reply is None:
            scene.clock.advance(timedelta(minutes=6).total_seconds())
        answered.add(reply and reply.status)

        if not late:
            work_off_all(scene)
        delete_by_token(api, reply)
        remove_all(scene, [job])
        work_off_all(scene)
        assert_nothing_left(scene)
    assert answered <= {None, HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.SERVICE_UNAVAILABLE}
    assert answered & {None, HTTPStatus.SERVICE_UNAVAILABLE}


@every_request
def test_a_deletion_before_any_line_of_a_request_takes_nothing_that_it_promised(ask: Ask) -> None:
    for nth in lines_of(ask):
        api = Api()
        scene, job = api.scene, api.scene.run()
        scene.faults.arm(nth, partial(remove_all, scene, [job]))
        reply = ask(api)
        if reply.headers.get("X-Cache-Status") == "hit":
            assert len(scene.computed(job)) == 1 + len(RECIPES)
        work_off_all(scene)
        delete_by_token(api, reply)
        assert_nothing_left(scene)


def test_a_request_before_any_line_of_a_deletion_keeps_nothing_that_it_has_no_token_for() -> None:
    answered = set()
    for nth in itertools.count(1):
        api = Api()
        scene, job = api.scene, api.scene.run()
        replies: list[Reply] = []

        def race(api: Api = api, replies: list[Reply] = replies) -> None:
            replies.append(asked_by_hash(api, RECIPES))

        scene.faults.arm(nth, race)
        remove_all(scene, [job])
        if not replies:
            break
        answered.add(replies[0].status)
        delete_by_token(api, replies[0])
        assert_nothing_left(scene)
    assert answered == {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.SERVICE_UNAVAILABLE}


def work_off_all(scene: Scene) -> None:
    for topic in ("jobs", "renders"):
        for message in scene.messages(topic):
            scene.processor().process(message)


def assert_nothing_left(scene: Scene) -> None:
    """But a notice, maybe, of a removal that died."""
    assert [scene.store.names(bucket) for bucket in (BUCKETS.uploads, BUCKETS.mattes, BUCKETS.results)] == [(), (), ()]
    references = [name for name in scene.store.names(BUCKETS.jobs) if name.startswith("~references/")]
    assert [name for name in references if "/~removal/" not in name] == []
