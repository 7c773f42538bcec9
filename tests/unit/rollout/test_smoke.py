"""Jobs that are pushed to a revision, and what they prove."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from events.envelope import decode
from events.errors import ForbiddenError, NoForegroundError, PermanentError, TransientError
from events.messages import JobRequested
from events.names import record_name
from imaging.inspection import inspect
from imaging.limits import DEFAULT_LIMITS
from jobs.processing import Processor
from rollout.__main__ import PHOTO
from rollout.plan import Smoke, SmokeReport
from rollout.service import Revision
from rollout.smoke import PushedJobs, SmokeOptions
from tests.fakes import InstantMattes
from tests.unit.examples import MODEL
from tests.unit.rollout.cloud_run import IMAGE, NOW, URL, service
from tests.unit.scene import BUCKETS, GPU, Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.envelope import Event, Outgoing
    from rollout.service import Service

STEP = Smoke(Revision("gpu-worker-00002-new", NOW, ready=True, image=IMAGE), URL)
LANE = "rollout-smoke-europe-west4-gpu-worker-gpu-worker-00002-new"


class Lanes:
    """`rollout.ports.PushLanes` that deliver at once."""

    def __init__(self, deliver: Callable[[Event[JobRequested]], object]) -> None:
        self._deliver = deliver
        self.opened: dict[str, tuple[str, str, str]] = {}
        self.closed: list[str] = []

    def open(self, name: str, *, endpoint: str, account: str, audience: str) -> None:
        self.opened[name] = (endpoint, account, audience)

    def publish(self, name: str, message: Outgoing) -> None:
        assert name in self.opened
        self._deliver(decode(message.data, message.attributes, JobRequested))

    def close(self, name: str) -> None:
        self.opened.pop(name, None)
        self.closed.append(name)

    def names(self, prefix: str) -> tuple[str, ...]:
        return tuple(name for name in self.opened if name.startswith(prefix))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def worker(scene: Scene, **mattes: Callable[[JobRequested], object]) -> Processor:
    return Processor(scene.desk, InstantMattes(MODEL, **mattes), billing=GPU, source="gpu_worker")


def smoke(
    scene: Scene, lanes: Lanes, *, jobs: int = 2, model: str = MODEL, state: Service | None = None
) -> SmokeReport:
    options = SmokeOptions(photo=PHOTO.read_bytes(), jobs=jobs, model=model, patience=timedelta(minutes=3))
    pushed = PushedJobs(
        scene.store,
        lanes,
        options,
        region="europe-west4",
        clock=scene.clock,
        sleep=lambda span: scene.clock.sleep(span.total_seconds()),
    )
    return pushed.test(state or service(), STEP)


def test_every_job_is_another_photo_and_goes_where_pushes_go(scene: Scene) -> None:
    photos: list[bytes] = []
    process = worker(scene).process

    def deliver(event: Event[JobRequested]) -> None:
        stored = scene.store.peek(event.data.upload.bucket, event.data.upload.name)
        assert stored is not None
        inspect(stored.data, DEFAULT_LIMITS)
        photos.append(stored.data)
        assert lanes.opened[LANE] == (
            f"{URL}/jobs",
            "push@cutout.iam.gserviceaccount.com",
            "https://gpu-worker.cutout",
        )
        process(event)

    lanes = Lanes(deliver)
    report = smoke(scene, lanes, jobs=3)
    assert report.passed
    assert "3 jobs done" in report.text
    assert report.jobs == 3
    assert len(set(photos)) == 3
    assert lanes.opened == {}


def test_a_job_that_fails_is_told_with_its_code(scene: Scene) -> None:
    def fail(_: JobRequested) -> None:
        raise NoForegroundError("nothing there")

    report = smoke(scene, Lanes(worker(scene, during=fail).process))
    assert not report.passed
    assert "no_foreground, nothing there" in report.text


def test_a_job_that_nobody_does_is_not_waited_for_for_ever(scene: Scene) -> None:
    before = scene.clock()
    report = smoke(scene, Lanes(lambda _: None))
    assert not report.passed
    assert "was not done in time" in report.text
    assert scene.clock() - before <= timedelta(minutes=3, seconds=1)


def test_another_model_than_the_functions_expect_is_found_before_any_traffic(scene: Scene) -> None:
    report = smoke(scene, Lanes(worker(scene).process), model="instant-111111111111-fp32-p1")
    assert not report.passed
    assert f"its model is {MODEL}" in report.text


def test_without_a_model_to_expect_any_will_do(scene: Scene) -> None:
    assert smoke(scene, Lanes(worker(scene).process), model="").passed


def test_a_result_that_was_not_stored_is_missed(scene: Scene) -> None:
    process = worker(scene).process

    def deliver(event: Event[JobRequested]) -> None:
        process(event)
        for name in scene.store.names(BUCKETS.results):
            scene.store.delete(BUCKETS.results, name)

    report = smoke(scene, Lanes(deliver))
    assert not report.passed
    assert "is not there" in report.text


def test_what_a_killed_test_left_is_used_or_removed(scene: Scene) -> None:
    lanes = Lanes(worker(scene).process)
    older = LANE.replace("00002-new", "00001-old")
    for name in (LANE, older, "rollout-smoke-us-central1-gpu-worker-1", "jobs"):
        lanes.open(name, endpoint="", account="", audience="")
    assert smoke(scene, lanes).passed
    assert lanes.closed == [older, LANE]


def test_an_outage_says_nothing_about_the_revision(scene: Scene) -> None:
    def fail(_: Event[JobRequested]) -> None:
        raise TransientError("Pub/Sub is away")

    with pytest.raises(TransientError, match="is away"):
        smoke(scene, Lanes(fail))


def test_a_right_that_the_operator_lacks_says_nothing_about_the_revision_either(scene: Scene) -> None:
    def refuse(_: Event[JobRequested]) -> None:
        raise ForbiddenError("can't publish")

    with pytest.raises(ForbiddenError, match="can't publish"):
        smoke(scene, Lanes(refuse))


def test_a_record_that_nobody_can_read_is_the_revisions_fault(scene: Scene) -> None:
    def scribble(event: Event[JobRequested]) -> None:
        name = record_name(event.data.tenant, event.data.job_id, "done")
        scene.store.create(BUCKETS.jobs, name, b"{", content_type="application/json")

    report = smoke(scene, Lanes(scribble))
    assert not report.passed
    assert "can't be read" in report.text


def test_a_service_that_takes_no_pushes_is_no_worker(scene: Scene) -> None:
    with pytest.raises(PermanentError, match=r"no JOBS_BUCKET, PUSH_AUDIENCE, PUSH_SENDER.*is it a worker"):
        smoke(scene, Lanes(lambda _: None), state=service()._replace(environment={"UPLOADS_BUCKET": "u"}))
