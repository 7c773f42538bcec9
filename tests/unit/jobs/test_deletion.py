"""Deleting a job takes all that was only its own, and nothing of anybody else's."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from events.errors import TransientError
from events.names import reference_name, reference_prefix
from events.recipe import Recipe
from tests.fakes import Crash
from tests.unit.examples import TENANT
from tests.unit.scene import BUCKETS, Job, Scene, photo


@pytest.fixture
def scene() -> Scene:
    return Scene()


def remove(scene: Scene, job: Job) -> None:
    scene.desk.removal.remove(job.tenant, job.job_id)


def put_up_notice(scene: Scene, job: Job) -> None:
    """What a removal that dies at once leaves behind."""
    scene.faults.arm(2, Crash())
    with pytest.raises(Crash):
        scene.desk.references.release(job.tenant, scene.content(job), job.job_id)
    assert notices(scene, job)


def notices(scene: Scene, job: Job) -> list[str]:
    return [name for name in scene.references(job) if name.startswith("~removal/")]


def test_a_deleted_job_takes_its_upload_matte_and_results_with_it(scene: Scene) -> None:
    job = scene.run()
    remove(scene, job)
    assert scene.computed(job) == []
    assert scene.references(job) == []
    assert scene.store.names(BUCKETS.uploads) == ()
    assert scene.desk.records.state(job.tenant, job.job_id).state == "deleted"


def test_what_another_job_uses_stays_until_that_one_is_deleted_too(scene: Scene) -> None:
    first = scene.run()
    second = scene.upload()
    assert scene.send(second) == "hit"
    kept = scene.computed(first)
    remove(scene, first)
    assert scene.computed(second) == kept
    assert scene.references(second) == [second.job_id]
    assert scene.store.names(BUCKETS.uploads) == (second.stat.name,)
    remove(scene, second)
    assert scene.computed(second) == []


def test_other_photos_and_other_tenants_are_left_alone(scene: Scene) -> None:
    job, other = scene.run(), scene.run(photo(1))
    foreign = scene.upload(tenant="globex")
    assert scene.send(foreign) == "miss"
    scene.processor().process(scene.message(foreign))
    remove(scene, job)
    assert len(scene.computed(other)) == len(scene.computed(foreign)) == 3
    assert scene.store.names(BUCKETS.uploads) == tuple(sorted((other.stat.name, foreign.stat.name)))


def test_every_model_and_recipe_of_the_photo_goes(scene: Scene) -> None:
    job = scene.run()
    scene.store.put(BUCKETS.mattes, f"{TENANT}/{scene.content(job)}/older-model.png", b"")
    scene.store.put(BUCKETS.results, f"{TENANT}/{scene.content(job)}/older-model/x.png", b"")
    remove(scene, job)
    assert scene.computed(job) == []


def test_a_job_that_was_never_uploaded_can_be_deleted(scene: Scene) -> None:
    job = scene.upload()
    remove(scene, job)
    assert scene.store.names(BUCKETS.uploads) == ()
    assert scene.records(job) == ["awaiting_upload.json", "deleted.json"]


def test_a_job_that_comes_while_the_references_are_counted_keeps_the_results(scene: Scene) -> None:
    """The reference stands before the count, so the results stay; the job itself sees the notice and is retried."""
    job = scene.run()
    other = scene.upload()

    def race() -> None:
        with pytest.raises(TransientError):
            scene.send(other)

    scene.faults.arm(5, race)
    remove(scene, job)
    assert scene.references(other) == [other.job_id]
    assert scene.send(other) == "hit"


def test_a_notice_that_nobody_took_down_holds_jobs_up_for_minutes_only(scene: Scene) -> None:
    job = scene.run()
    other = scene.upload()
    put_up_notice(scene, job)
    with pytest.raises(TransientError, match="being deleted"):
        scene.send(other)
    scene.clock.advance(timedelta(minutes=6).total_seconds())
    assert scene.send(other) == "hit"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_removal_that_fails_takes_its_notice_down(*, after: bool) -> None:
    for operation in itertools.count(1):
        scene = Scene()
        job = scene.run()
        scene.faults.arm(operation, TransientError("the network is gone"), after=after)
        try:
            remove(scene, job)
        except TransientError:
            assert notices(scene, job) == []
        else:
            break
        remove(scene, job)
        assert scene.references(job) == scene.computed(job) == []


def test_a_removal_takes_down_the_notices_of_those_that_died_long_ago(scene: Scene) -> None:
    job, other = scene.run(), scene.run()
    put_up_notice(scene, job)
    scene.clock.advance(timedelta(minutes=4).total_seconds())
    put_up_notice(scene, job)
    scene.clock.advance(timedelta(minutes=2).total_seconds())
    assert len(notices(scene, job)) == 2
    remove(scene, job)
    assert len(notices(scene, job)) == 1
    scene.clock.advance(timedelta(minutes=6).total_seconds())
    remove(scene, other)
    assert scene.references(other) == []


@pytest.mark.parametrize("same", [False, True], ids=["of two jobs", "of one job"])
def test_of_two_removals_at_once_neither_takes_what_a_third_job_makes_meanwhile(*, same: bool) -> None:
    """Right before each line of the first, the second one ends and a job with the same photo comes, and is done.

    One job is removed twice at once where a worker finds it deleted.
    """
    answers = set()
    for operation in itertools.count(1):
        scene = Scene()
        jobs = [scene.run(), scene.run()]
        late = scene.upload()
        answered: list[str] = []

        def race(scene: Scene = scene, second: Job = jobs[not same], answered: list[str] = answered) -> None:
            remove(scene, second)
            try:
                answered.append(scene.send(scene.jobs[-1]))
            except TransientError:
                answered.append("refused")
            else:
                scene.work_off(scene.jobs[-1])

        scene.faults.arm(operation, race)
        remove(scene, jobs[0])
        if not answered:
            break
        assert answered == ["refused"] or len(scene.computed(late)) == 3, scene.faults.operations
        answers.update(answered)
    assert answers == ({"hit", "refused"} if same else {"hit", "miss", "refused"})


@pytest.mark.parametrize("records", [(), ("awaiting_upload",)])
def test_the_reference_of_a_job_that_came_to_nothing_stops_counting_after_days(
    scene: Scene, records: tuple[str, ...]
) -> None:
    job, dead = scene.run(), scene.upload()
    for record in {"awaiting_upload"}.difference(records):
        scene.store.delete(BUCKETS.jobs, f"{TENANT}/{dead.job_id}/{record}.json")
    scene.store.put(BUCKETS.jobs, reference_name(TENANT, scene.content(job), dead.job_id), b"")
    scene.clock.advance(timedelta(days=3).total_seconds())
    remove(scene, job)
    assert scene.computed(job) == []
    assert scene.references(job) == []


def test_the_reference_of_a_young_job_counts_before_it_is_queued(scene: Scene) -> None:
    job, young = scene.run(), scene.upload()
    scene.store.put(BUCKETS.jobs, reference_name(TENANT, scene.content(job), young.job_id), b"")
    remove(scene, job)
    assert len(scene.computed(job)) == 3


def test_the_reference_of_a_job_that_was_queued_counts_however_old_it_is(scene: Scene) -> None:
    job, other = scene.run(), scene.run()
    scene.clock.advance(timedelta(days=300).total_seconds())
    remove(scene, job)
    assert len(scene.computed(other)) == 3


def test_the_reference_of_a_deleted_job_does_not_count(scene: Scene) -> None:
    """It died between its reference and its record, and was deleted before it came again."""
    job, dead = scene.run(), scene.upload()
    scene.store.put(BUCKETS.jobs, reference_name(TENANT, scene.content(job), dead.job_id), b"")
    remove(scene, dead)
    assert dead.job_id in scene.references(job)
    remove(scene, job)
    assert scene.computed(job) == []
    assert scene.references(job) == []


def test_the_jobs_of_a_photo_are_listed_oldest_first(scene: Scene) -> None:
    jobs = [scene.run() for _ in range(2)] + [scene.upload(recipes=[Recipe(format="webp")])]
    assert scene.send(jobs[2]) == "matte"
    scene.store.put(BUCKETS.jobs, f"{reference_prefix(TENANT, scene.content(jobs[0]))}~removal/1", b"")
    assert scene.desk.references.jobs(TENANT, scene.content(jobs[0])) == [job.job_id for job in jobs]
