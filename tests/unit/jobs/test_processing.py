from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from events.errors import MatteMissingError, TransientError
from events.messages import ResultCompleted, ResultFailed
from events.names import result_name
from events.prices import PRICES
from events.recipe import Crop, Recipe
from tests.fakes import BlindMattes, InstantMattes
from tests.unit.examples import MODEL
from tests.unit.scene import BUCKETS, RECIPES, Scene, photo

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.envelope import Event
    from events.messages import JobRequested
    from jobs.processing import Ended


def failed(scene: Scene) -> ResultFailed:
    [event] = {event.id: event for event in scene.publisher.events("results")}.values()
    assert isinstance(event.data, ResultFailed)
    return event.data


def replayed(event: Event[JobRequested], run: int) -> Event[JobRequested]:
    return msgspec.structs.replace(event, id=f"replay-{run}", data=msgspec.structs.replace(event.data, run=run))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_everything_is_stored_in_the_order_that_makes_a_crash_harmless(scene: Scene) -> None:
    _, message = scene.queued()
    before = len(scene.faults.operations)
    scene.processor().process(message)
    writes = [
        operation.split("/")[0] if not operation.endswith(".json") else operation.rpartition("/")[2]
        for operation in scene.faults.operations[before:]
        if operation.startswith(("create", "publish"))
    ]
    assert writes == [
        "create m-cutout",
        "create r-cutout",
        "create r-cutout",
        "done.json",
        "create j-cutout",
        "publish results",
        "publish costs",
        "publish costs",
    ]


def test_a_completed_job_tells_what_a_subscriber_needs(scene: Scene) -> None:
    job, message = scene.queued()
    scene.clock.advance(2)
    scene.processor().process(message)
    told = scene.completed(job)
    assert (told.tenant, told.model, told.lane, told.run) == (job.tenant, MODEL, "gpu", 0)
    assert [(result.width, result.height) for result in told.results] == [(32, 24), (16, 12)]
    assert [result.content_type for result in told.results] == ["image/png", "image/jpeg"]
    assert told.confidence == 1
    assert told.requested_at == message.data.requested_at
    assert told.timings["queue"] == 2
    assert {
        "check",
        "queue",
        "lookup",
        "download",
        "decode",
        "network",
        "store_matte",
        "render",
        "store_results",
    } == set(told.timings)
    [cost, _] = scene.costs(job)
    assert (cost.kind, cost.batch_size, cost.megapixels, cost.cold_start) == ("gpu", 1, 0.001, False)


def test_a_job_that_waited_for_the_start_says_so(scene: Scene) -> None:
    job, message = scene.queued()
    mattes = InstantMattes(MODEL)
    mattes.cold = True
    scene.processor(mattes).process(message)
    assert scene.completed(job).cold_start
    assert [cost.cold_start for cost in scene.costs(job)] == [True, True]


def test_the_matte_says_who_computed_it_and_what_that_cost(scene: Scene) -> None:
    job = scene.run()
    [name] = scene.store.names(BUCKETS.mattes)
    stored = scene.store.peek(BUCKETS.mattes, name)
    assert stored is not None
    assert stored.stat.metadata["job-id"] == job.job_id
    assert stored.stat.metadata["batch-size"] == "1"
    assert float(stored.stat.metadata["gpu-seconds"]) > 0


def test_another_job_with_the_same_photo_uses_the_matte(scene: Scene) -> None:
    scene.run()
    other = scene.upload(recipes=[Recipe(crop=Crop())])
    assert scene.send(other) == "matte"
    mattes = InstantMattes(MODEL)
    scene.processor(mattes).process(scene.message(other, "renders"))
    assert mattes.computed == []
    assert [result.cache for result in scene.completed(other).results] == ["matte"]
    assert scene.completed(other).lane == "cpu"


def test_a_matte_that_can_not_be_read_is_made_again(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.run()
    scene.damage_mattes()
    other, third = scene.upload(recipes=[Recipe(crop=Crop())]), scene.upload(recipes=[Recipe(format="mask")])
    assert scene.send(other) == "matte"
    mattes = InstantMattes(MODEL)
    scene.processor(mattes).process(scene.message(other, "renders"))
    assert mattes.computed == [other.job_id]
    assert [result.cache for result in scene.completed(other).results] == ["miss"]
    assert "matte_unreadable" in caplog.messages
    assert scene.send(third) == "matte"
    scene.processor(mattes).process(scene.message(third, "renders"))
    assert [result.cache for result in scene.completed(third).results] == ["matte"]
    assert len(mattes.computed) == 1


def test_a_matte_that_another_process_has_made_again_stays() -> None:
    def delivery(scene: Scene) -> Callable[[], None]:
        scene.run()
        scene.damage_mattes()
        job = scene.upload(recipes=[Recipe(crop=Crop())])
        scene.send(job)
        return lambda: scene.processor().process(scene.message(job, "renders"))

    calm, scene = Scene(), Scene()
    deliver, deliver_late = delivery(calm), delivery(scene)
    [name] = scene.store.names(BUCKETS.mattes)
    before = len(calm.faults.operations)
    deliver()
    deletion = calm.faults.operations.index(f"delete {BUCKETS.mattes}/{name}", before)
    scene.faults.arm(deletion - before + 1, lambda: scene.store.put(BUCKETS.mattes, name, b"made again"))
    deliver_late()
    stored = scene.store.peek(BUCKETS.mattes, name)
    assert stored is not None
    assert stored.data == b"made again"
    assert [result.cache for result in scene.completed(scene.jobs[-1]).results] == ["miss"]


def test_a_result_that_another_job_made_meanwhile_is_a_hit(scene: Scene) -> None:
    job, message = scene.queued()
    scene.run()
    mattes = InstantMattes(MODEL)
    scene.processor(mattes).process(message)
    assert mattes.computed == []
    assert [result.cache for result in scene.completed(job).results] == ["hit", "hit"]


def test_a_job_tells_apart_the_results_it_found_from_those_it_made(scene: Scene) -> None:
    job, message = scene.queued()
    scene.run(recipes=RECIPES[:1])
    scene.processor().process(message)
    assert [result.cache for result in scene.completed(job).results] == ["hit", "matte"]


def test_a_recipe_asked_for_twice_is_made_once_and_told_twice(scene: Scene) -> None:
    job, message = scene.queued(recipes=RECIPES + RECIPES[:1])
    scene.processor().process(message)
    assert [result.recipe for result in scene.completed(job).results] == [*RECIPES, RECIPES[0]]
    assert len(scene.store.names(BUCKETS.results)) == len(scene.costs(job)) == 2


def test_a_recipe_asked_for_twice_is_told_twice_where_another_job_made_it_meanwhile(scene: Scene) -> None:
    job, message = scene.queued(recipes=RECIPES[:1] * 2 + RECIPES)
    scene.run()
    scene.processor().process(message)
    assert [result.recipe for result in scene.completed(job).results] == [*RECIPES[:1] * 2, *RECIPES]
    assert {result.cache for result in scene.completed(job).results} == {"hit"}


def test_a_duplicate_tells_the_same_again_without_work(scene: Scene) -> None:
    job, message = scene.queued()
    mattes = InstantMattes(MODEL)
    processor = scene.processor(mattes)
    processor.process(message)
    first = list(scene.publisher.messages)
    processor.process(message)
    assert scene.publisher.messages == first + first[1:]
    assert mattes.computed == [job.job_id]


def test_a_second_attempt_keeps_the_photo_out_of_batches(scene: Scene) -> None:
    mattes = InstantMattes(MODEL)
    for attempt in (1, 2, 3):
        _, message = scene.queued(photo(attempt))
        scene.processor(mattes).process(message, attempt=attempt)
    assert mattes.alone == [False, True, True]


def test_a_later_attempt_takes_over_what_an_earlier_one_spent_on_the_matte(scene: Scene) -> None:
    job, message = scene.queued()
    mattes = InstantMattes(MODEL)
    scene.faults.arm(6, TransientError("the first result can't be stored"))
    with pytest.raises(TransientError):
        scene.processor(mattes).process(message)
    [matte] = scene.store.names(BUCKETS.mattes)
    stored = scene.store.peek(BUCKETS.mattes, matte)
    assert stored is not None
    scene.store.put(
        BUCKETS.mattes,
        matte,
        stored.data,
        metadata={**stored.stat.metadata, "gpu-seconds": "1000.0", "batch-size": "7"},
    )
    scene.processor(mattes).process(message)
    assert mattes.computed == [job.job_id]
    assert scene.completed(job).cost_usd > 1000 * PRICES.gpu_second
    assert [cost.batch_size for cost in scene.costs(job)] == [7, 7]
    assert [result.cache for result in scene.completed(job).results] == ["miss", "miss"]


def test_a_photo_without_a_subject_fails_for_good(scene: Scene) -> None:
    job, message = scene.queued()
    scene.processor(BlindMattes(MODEL)).process(message)
    told = failed(scene)
    assert (told.code, told.retryable, told.job_id, told.run) == ("no_foreground", False, job.job_id, 0)
    assert len(scene.costs(job)) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"generation": 1}, "upload_missing"),
        ({"name": "acme/nothing"}, "upload_missing"),
    ],
)
def test_an_upload_that_is_not_there_fails_for_good(scene: Scene, change: dict[str, object], code: str) -> None:
    _, message = scene.queued()
    upload = msgspec.structs.replace(message.data.upload, **change)
    data = msgspec.structs.replace(message.data, upload=upload)
    scene.processor().process(msgspec.structs.replace(message, data=data))
    assert failed(scene).code == code


def test_bytes_that_are_not_the_jobs_fail_for_good_and_are_cached_nowhere(scene: Scene) -> None:
    _, message = scene.queued()
    data = msgspec.structs.replace(message.data, sha256="0" * 64)
    scene.processor().process(msgspec.structs.replace(message, data=data))
    assert failed(scene).code == "content_mismatch"
    assert scene.store.names(BUCKETS.mattes) == ()


def test_a_photo_that_no_codec_reads_fails_for_good(scene: Scene) -> None:
    """Its structure is that of a PNG, which is all that `on_upload` looks at; its pixels are not."""
    data = photo()
    middle = data.index(b"IDAT") + 8
    broken = data[:middle] + bytes(64) + data[middle + 64 :]
    _, message = scene.queued(broken)
    scene.processor().process(message)
    assert failed(scene).code == "corrupt_image"


def test_a_failure_that_may_pass_is_not_told(scene: Scene) -> None:
    def broken(_job: JobRequested) -> None:
        raise TransientError("the device is busy")

    _, message = scene.queued()
    with pytest.raises(TransientError):
        scene.processor(InstantMattes(MODEL, during=broken)).process(message)
    assert not scene.publisher.on("results")


def test_a_bug_is_not_told_as_the_photos_failure(scene: Scene) -> None:
    def buggy(_job: JobRequested) -> None:
        raise ZeroDivisionError

    _, message = scene.queued()
    with pytest.raises(ZeroDivisionError):
        scene.processor(InstantMattes(MODEL, during=buggy)).process(message)
    assert not scene.publisher.on("results")


def test_a_replay_of_a_failed_job_completes_under_another_event_id(scene: Scene) -> None:
    job, message = scene.queued()
    scene.processor(BlindMattes(MODEL)).process(message)
    scene.store.delete(BUCKETS.mattes, scene.store.names(BUCKETS.mattes)[0])
    scene.processor().process(replayed(message, 1))
    first, second = scene.publisher.distinct("results")
    assert first.attributes["ce-id"] != second.attributes["ce-id"]
    assert scene.records(job) == ["awaiting_upload.json", "done.json", "failed-0.json", "queued.json"]
    assert scene.desk.records.state(job.tenant, job.job_id).state == "done"


def test_a_replay_that_fails_again_is_told_as_its_own_run(scene: Scene) -> None:
    job, message = scene.queued()
    for run in (0, 1, 2):
        scene.processor(BlindMattes(MODEL)).process(replayed(message, run))
    assert len(scene.publisher.distinct("results")) == 3
    state = scene.desk.records.state(job.tenant, job.job_id)
    assert (state.state, state.failed_run) == ("failed", 2)


def test_a_late_delivery_of_an_earlier_run_tells_what_the_job_came_to(scene: Scene) -> None:
    job, message = scene.queued()
    scene.processor().process(replayed(message, 1))
    mattes = InstantMattes(MODEL)
    scene.processor(mattes).process(message)
    assert mattes.computed == []
    assert scene.completed(job).run == 1


def test_a_process_without_a_network_passes_on_that_the_matte_is_missing(scene: Scene) -> None:
    def missing(_job: JobRequested) -> None:
        raise MatteMissingError("gone")

    _, message = scene.queued()
    with pytest.raises(MatteMissingError):
        scene.processor(InstantMattes(MODEL, during=missing)).process(message)


def test_an_observer_is_told_how_each_job_ended(scene: Scene) -> None:
    seen: list[Ended] = []
    _, message = scene.queued()
    scene.processor(on_end=seen.append).process(message)
    _, message = scene.queued(photo(1))
    scene.processor(BlindMattes(MODEL), on_end=seen.append).process(message)
    assert [type(ended.result) for ended in seen] == [ResultCompleted, ResultFailed]
    assert [ended.batch_size for ended in seen] == [1, 1]
    assert "network" in seen[0].stages


def test_a_failing_observer_fails_no_job(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    def observer(_ended: Ended) -> None:
        raise ValueError("the dashboard is down")

    job, message = scene.queued()
    scene.processor(on_end=observer).process(message)
    assert scene.completed(job).results
    assert "observer_failed" in caplog.messages


def test_every_line_about_a_job_carries_its_trace(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "jobs.processing")
    _, message = scene.queued()
    scene.processor().process(message)
    [line] = [record for record in caplog.records if record.message == "job_ended"]
    assert vars(line)["traceparent"].split("-")[1] == message.traceparent.split("-")[1]


def test_two_deliveries_of_a_job_at_once_are_one_job(scene: Scene, joined: threading.Semaphore) -> None:
    job, message = scene.queued()
    computing, go_on = threading.Event(), threading.Event()

    def wait(_job: JobRequested) -> None:
        computing.set()
        assert go_on.wait(5)

    mattes = InstantMattes(MODEL, during=wait)
    processor = scene.processor(mattes)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(processor.process, message)
        assert computing.wait(5)
        second = threads.submit(processor.process, message)
        assert joined.acquire(timeout=5)
        go_on.set()
        first.result(5)
        second.result(5)
    assert mattes.computed == [job.job_id]
    assert len(scene.publisher.on("results")) == 1


def test_two_jobs_with_the_same_photo_at_once_compute_it_once(scene: Scene, joined: threading.Semaphore) -> None:
    one, first_message = scene.queued()
    other, second_message = scene.queued()
    computing, go_on = threading.Event(), threading.Event()

    def wait(_job: JobRequested) -> None:
        computing.set()
        assert go_on.wait(5)

    mattes = InstantMattes(MODEL, during=wait)
    processor = scene.processor(mattes)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(processor.process, first_message)
        assert computing.wait(5)
        second = threads.submit(processor.process, second_message)
        assert joined.acquire(timeout=5)
        go_on.set()
        first.result(5)
        second.result(5)
    assert mattes.computed == [one.job_id]
    assert [result.cache for result in scene.completed(one).results] == ["miss", "miss"]
    assert [result.cache for result in scene.completed(other).results] == ["matte", "matte"]


def test_a_job_that_looked_before_another_one_of_its_process_was_done_computes_nothing(scene: Scene) -> None:
    one, first_message = scene.queued()
    other, second_message = scene.queued()
    mattes = InstantMattes(MODEL)
    processor = scene.processor(mattes)
    before = len(scene.faults.operations)
    looked = 4
    scene.faults.arm(looked, lambda: processor.process(first_message))
    processor.process(second_message)
    assert scene.faults.operations[before + looked - 2].startswith(f"stat {BUCKETS.mattes}/")
    assert mattes.computed == [one.job_id]
    assert [result.cache for result in scene.completed(other).results] == ["matte", "matte"]


def test_one_job_in_two_processes_at_once_is_told_once(scene: Scene) -> None:
    """Both compute, at worst; the record that was written first is the one that both tell."""
    job, message = scene.queued()
    both = threading.Barrier(2)

    def meet(_job: JobRequested) -> None:
        both.wait(5)

    with ThreadPoolExecutor(2) as threads:
        running = [
            threads.submit(scene.processor(InstantMattes(MODEL, during=meet)).process, message) for _ in range(2)
        ]
        for process in running:
            process.result(5)
    told = scene.completed(job)
    assert sum(cost.usd for cost in scene.costs(job)) == told.cost_usd
    assert len(scene.spend(job)) == 1
    assert len(scene.publisher.on("results")) == 2


def test_results_found_without_a_record_end_the_job_as_what_they_were(scene: Scene) -> None:
    """The finalize event comes again after a worker died between its last result and the record."""
    job, message = scene.queued()
    scene.processor().process(message)
    scene.store.delete(BUCKETS.jobs, f"{job.tenant}/{job.job_id}/done.json")
    scene.publisher.messages.clear()
    scene.clock.advance(timedelta(minutes=1).total_seconds())
    scene.on_upload()(scene.finalized(job))
    mattes = InstantMattes(MODEL)
    scene.processor(mattes).process(scene.message(job))
    assert mattes.computed == []
    assert [result.cache for result in scene.completed(job).results] == ["miss", "miss"]
    assert scene.completed(job).cost_usd > 0


def test_results_of_a_model_are_never_anothers(scene: Scene) -> None:
    job, message = scene.queued()
    scene.processor(InstantMattes("newer-000000000000-fp32-p1")).process(message)
    told = scene.completed(job)
    assert told.model == "newer-000000000000-fp32-p1"
    assert told.results[0].object.name == result_name(job.tenant, scene.content(job), told.model, RECIPES[0])


def test_a_job_that_is_deleted_in_the_middle_is_charged_but_not_told(scene: Scene) -> None:
    job, message = scene.queued()

    def take_back(_: JobRequested) -> None:
        scene.desk.removal.remove(job.tenant, job.job_id)

    scene.processor(InstantMattes(MODEL, take_back)).process(message)
    assert not scene.publisher.on("results")
    assert scene.costs(job)
    assert scene.spend(job) == [sum(int(cost.usd.scaleb(9)) for cost in scene.costs(job))]
    assert scene.computed(job) == []


def test_a_replay_does_not_pay_again_for_the_matte_of_an_earlier_run(scene: Scene) -> None:
    job, message = scene.queued()
    mattes = BlindMattes(MODEL)
    scene.processor(mattes).process(message)
    [matte] = scene.store.names(BUCKETS.mattes)
    stored = scene.store.peek(BUCKETS.mattes, matte)
    assert stored is not None
    paid = {**stored.stat.metadata, "gpu-seconds": "1000.0"}
    scene.store.put(BUCKETS.mattes, matte, stored.data, metadata=paid)
    scene.processor(mattes).process(replayed(message, 1))
    assert mattes.computed == [job.job_id]
    assert len(scene.costs(job)) == 2
    assert all(cost.usd < 1000 * PRICES.gpu_second for cost in scene.costs(job))
