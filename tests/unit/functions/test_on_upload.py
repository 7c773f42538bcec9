from __future__ import annotations

import json
import tracemalloc
import zipfile
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from cloudevents.http import CloudEvent, from_http
from PIL import Image

from events.errors import TransientError
from events.messages import ResultFailed
from events.trace import trace_id
from functions.on_upload import OnUpload
from imaging.limits import DEFAULT_LIMITS, Limits
from jobs.meter import Meter
from tests.events import load_event
from tests.fakes import Crash
from tests.unit.examples import JOB_ID, TENANT, TRACEPARENT
from tests.unit.scene import BUCKETS, FUNCTION, RECIPES, Job, Scene, photo


@pytest.fixture
def scene() -> Scene:
    return Scene()


def arrive(scene: Scene, job: Job, **changes: object) -> None:
    scene.on_upload()(scene.finalized(job, **changes))


def failure(scene: Scene) -> ResultFailed:
    [event] = {event.id: event for event in scene.publisher.events("results")}.values()
    assert isinstance(event.data, ResultFailed)
    return event.data


def test_a_new_photo_goes_to_the_worker_pinned_to_its_generation(scene: Scene) -> None:
    job = scene.upload()
    arrive(scene, job)
    message = scene.message(job)
    assert message.data.upload.generation == job.stat.generation
    assert (message.data.lane, message.data.sha256, message.data.recipes) == ("gpu", job.sha256, RECIPES)
    assert trace_id(message.traceparent) == trace_id(TRACEPARENT)
    assert set(message.data.timings) == {"event", "check"}
    assert scene.records(job) == ["awaiting_upload.json", "queued.json"]


def test_a_photo_whose_matte_exists_goes_to_the_cpu(scene: Scene) -> None:
    scene.run(recipes=RECIPES[:1])
    job = scene.upload()
    arrive(scene, job)
    assert scene.message(job, "renders").data.lane == "cpu"
    assert not [message for message in scene.messages("jobs") if message.data.job_id == job.job_id]


def test_a_photo_whose_results_exist_is_done_at_once(scene: Scene) -> None:
    scene.run()
    job = scene.upload()
    arrive(scene, job)
    told = scene.completed(job)
    assert [result.cache for result in told.results] == ["hit", "hit"]
    assert (told.lane, told.cold_start) == (None, False)
    assert told.confidence == 1


def test_another_tenants_results_are_no_hit(scene: Scene) -> None:
    scene.run()
    job = scene.upload(tenant="globex")
    arrive(scene, job)
    assert scene.message(job).data.tenant == "globex"


def test_what_the_function_cost_is_recorded_once_a_job(scene: Scene) -> None:
    sent = scene.upload()
    arrive(scene, sent)
    arrive(scene, sent)
    [cost] = scene.costs(sent, kind="function")
    assert (cost.recipe, cost.cache, cost.gpu_seconds) == (None, None, 0)
    scene.processor().process(scene.message(sent))
    hit = scene.upload()
    arrive(scene, hit)
    assert len(scene.costs(hit, kind="function")) == len(RECIPES)


def test_a_duplicate_of_a_queued_job_sends_the_same_message_again(scene: Scene) -> None:
    job = scene.upload()
    arrive(scene, job)
    scene.clock.advance(60)
    arrive(scene, job)
    first, second = scene.publisher.on("jobs")
    assert first == second


def test_two_deliveries_at_once_send_the_same_message(scene: Scene) -> None:
    """Both found no record; the one that was written first is the one that both go by."""
    job = scene.upload()
    scene.faults.arm(8, lambda: arrive(scene, job))
    arrive(scene, job)
    written = [name for name in scene.faults.operations if name.startswith("create") and name.endswith("queued.json")]
    assert len(written) == 2
    for topic in ("jobs", "costs"):
        first, second = scene.publisher.on(topic)
        assert first == second


@pytest.mark.parametrize("worked", [False, True], ids=["queued", "done"])
def test_a_cost_that_was_not_told_any_more_is_told_by_the_next_delivery(scene: Scene, *, worked: bool) -> None:
    job = scene.upload()
    scene.faults.arm(10, Crash("between the job and its cost"))
    with pytest.raises(Crash):
        arrive(scene, job)
    assert scene.faults.operations[-1] == "publish costs"
    assert scene.costs(job, kind="function") == []
    passed_on_at = scene.clock()
    scene.clock.advance(60)
    if worked:
        scene.processor().process(scene.message(job))
    arrive(scene, job)
    [cost] = scene.costs(job, kind="function")
    assert cost.occurred_at == passed_on_at


def test_a_duplicate_of_a_done_job_tells_its_outcome_again(scene: Scene) -> None:
    job = scene.run()
    arrive(scene, job)
    first, second = scene.publisher.on("results")
    assert first == second
    assert len(scene.publisher.on("jobs")) == 1


def test_a_duplicate_that_comes_while_the_worker_writes_is_no_hit(scene: Scene) -> None:
    """The results exist, the record does not: the job's own work must not pass for somebody else's."""
    job = scene.run()
    scene.store.delete(BUCKETS.jobs, f"{TENANT}/{job.job_id}/done.json")
    scene.publisher.messages.clear()
    arrive(scene, job)
    assert scene.publisher.on("results") == []
    assert scene.message(job).data.job_id == job.job_id


def zip_in_a_png() -> bytes:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", "x")
    return photo() + archive.getvalue()


def huge_png() -> bytes:
    """51 megapixels in a few kilobytes."""
    file = BytesIO()
    Image.new("1", (10_200, 5_000)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "unsupported_format"),
        (b"GIF", "unsupported_format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_format"),
        (b"%PDF-1.7" + bytes(5000), "unsupported_format"),
        (photo()[:60], "corrupt_image"),
        (zip_in_a_png(), "polyglot"),
        (huge_png(), "too_many_pixels"),
    ],
    ids=["empty", "short", "svg", "pdf", "truncated", "zip", "huge"],
)
def test_what_is_no_photo_that_is_read_ends_as_a_failure_with_its_code(scene: Scene, data: bytes, code: str) -> None:
    job = scene.upload(data)
    arrive(scene, job)
    told = failure(scene)
    assert (told.code, told.retryable, told.job_id, told.tenant) == (code, False, job.job_id, TENANT)
    assert scene.records(job) == ["awaiting_upload.json", "failed-0.json"]
    assert len(scene.spend(job)) == 1


def test_a_file_over_the_limit_is_refused_without_reading_it(scene: Scene) -> None:
    job = scene.upload()
    arrive(scene, job, size=str(DEFAULT_LIMITS.max_bytes + 1))
    assert failure(scene).code == "too_large"
    assert not [name for name in scene.faults.operations if name.startswith("stream")]


def test_a_file_that_is_larger_than_it_said_is_refused(scene: Scene) -> None:
    job = scene.upload()
    function = OnUpload(scene.desk, scene.dispatch, limits=Limits(max_bytes=len(photo()) - 1), meter=Meter(FUNCTION))
    function(scene.finalized(job, size="1"))
    assert failure(scene).code == "too_large"


def test_a_file_that_can_be_no_photo_is_not_read_to_its_end(scene: Scene) -> None:
    job = scene.upload(b"MZ" + bytes(1_000_000))
    chunks = 0
    stream = scene.store.stream

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal chunks
        for chunk in stream(*args, **kwargs):
            chunks += 1
            yield chunk

    scene.store.stream = counted  # type: ignore[method-assign]  # counts what is read
    arrive(scene, job)
    assert failure(scene).code == "unsupported_format"
    assert chunks == 1


@pytest.mark.parametrize("changes", [{"generation": "7"}, {"bucket": "another-bucket"}])
def test_an_upload_that_is_gone_ends_as_a_failure(scene: Scene, changes: dict[str, str]) -> None:
    arrive(scene, scene.upload(), **changes)
    assert failure(scene).code == "upload_missing"


@pytest.mark.parametrize("metadata", [{}, {"recipes": "[]"}, {"recipes": "{"}, {"recipes": '[{"effect":"x"}]'}])
def test_recipes_that_were_not_bound_by_us_end_as_a_failure(scene: Scene, metadata: dict[str, str]) -> None:
    arrive(scene, scene.upload(), metadata=metadata)
    assert failure(scene).code == "invalid_message"


def test_an_object_that_no_job_waits_for_is_left_alone(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    job = scene.upload()
    arrive(scene, job, name=f"{TENANT}/{JOB_ID}")
    assert scene.publisher.messages == []
    assert "upload_unknown" in caplog.messages


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"{not json",
        {},
        {
            "bucket": BUCKETS.uploads,
            "name": "../x",
            "generation": "1",
            "size": "1",
            "timeCreated": "2026-11-23T12:00:00Z",
        },
        {"bucket": BUCKETS.uploads, "name": f"acme/{JOB_ID}", "generation": "x", "size": 1, "timeCreated": "now"},
    ],
)
def test_an_event_that_is_malformed_is_logged_and_not_delivered_again(
    scene: Scene, caplog: pytest.LogCaptureFixture, data: object
) -> None:
    """It will never get better, and Eventarc would deliver it for a day."""
    event = CloudEvent.create({"type": "google.cloud.storage.object.v1.finalized", "source": "//x"}, data)
    scene.on_upload()(event)
    assert "upload_event_invalid" in caplog.messages
    assert scene.faults.operations == []


def test_a_storage_that_does_not_answer_has_the_event_delivered_again(scene: Scene) -> None:
    job = scene.upload()
    scene.faults.arm(2, TransientError("storage: no answer"))
    with pytest.raises(TransientError):
        arrive(scene, job)
    assert scene.publisher.messages == []
    arrive(scene, job)
    assert scene.message(job)


def test_a_deleted_job_is_not_started(scene: Scene) -> None:
    """The signed URL outlives the job by up to ten minutes: its photo can still come, and goes."""
    job = scene.upload()
    scene.desk.removal.remove(TENANT, job.job_id)
    stat = scene.store.put(BUCKETS.uploads, job.stat.name, job.data, metadata=job.stat.metadata)
    arrive(scene, job, generation=str(stat.generation))
    assert scene.publisher.messages == []
    assert scene.store.names(BUCKETS.uploads) == ()


def test_a_job_that_is_deleted_while_its_photo_is_read_is_not_told_as_failed(scene: Scene) -> None:
    job = scene.upload()
    scene.faults.arm(3, lambda: scene.desk.removal.remove(TENANT, job.job_id))
    arrive(scene, job)
    assert "deleted.json" in scene.records(job)
    assert scene.publisher.messages == []


def test_an_event_as_it_was_recorded_is_understood(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    recorded = load_event("gcs_finalized")
    scene.on_upload()(from_http(recorded["headers"], json.dumps(recorded["body"])))
    assert caplog.messages == ["upload_unknown"]


@pytest.mark.parametrize("tail", [b"", bytes(12_000_000)], ids=["pixels", "trailing bytes"])
def test_a_photo_is_held_in_memory_once(scene: Scene, tail: bytes) -> None:
    """Eight at a time share an instance of 1 GiB."""
    pixels = np.random.default_rng(5).integers(0, 255, (2000, 2000, 3), dtype=np.uint8)
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "jpeg", quality=100)
    job = scene.upload(encoded.getvalue() + tail)
    event = scene.finalized(job)
    tracemalloc.start()
    try:
        scene.on_upload()(event)
        assert tracemalloc.get_traced_memory()[1] < job.stat.size + 2_500_000
    finally:
        tracemalloc.stop()
    assert scene.message(job).data.sha256 == job.sha256
