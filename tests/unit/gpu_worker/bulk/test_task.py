"""A task from its manifest to its report, whatever stops it in between."""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from events.errors import TransientError
from gpu_worker.bulk.manifest import read_manifest
from gpu_worker.bulk.report import Entry
from gpu_worker.bulk.share import Share
from gpu_worker.bulk.task import DONE, UNFINISHED, BulkTask
from gpu_worker.mattes import NetworkMattes
from gpu_worker.settings import Settings
from jobs.metrics import JobMetrics
from tests.fakes import FakeEngine, FakePublisher, FakeStore
from tests.unit.examples import MODEL, TENANT
from tests.unit.scene import BUCKETS, SECRET, photo
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

PHOTOS = 12
SETTINGS = Settings.from_env(
    {
        "PROJECT": "cutout-test",
        "REGION": "us-central1",
        "UPLOADS_BUCKET": BUCKETS.uploads,
        "MATTES_BUCKET": BUCKETS.mattes,
        "RESULTS_BUCKET": BUCKETS.results,
        "JOBS_BUCKET": BUCKETS.jobs,
        "CONTENT_SECRET": base64.b64encode(SECRET).decode(),
        "DEVICE": "cpu",
        "CONCURRENCY": "2",
    }
)


class CatalogueEngine(FakeEngine):
    """Counts the photos that went through it; `on_pass` is called before each pass but the first, a warm one."""

    on_pass: Callable[[], None] | None = None
    in_hand = 0

    def infer(self, inputs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  # as the fake's
        self.in_hand = len(inputs)
        if self.batches and self.on_pass is not None:
            self.on_pass()
        return super().infer(inputs)

    @property
    def photos(self) -> int:
        return sum(self.batches) - 1


class Catalogue:
    """A manifest of photos, and tasks that work through it, each with a network of its own."""

    def __init__(self) -> None:
        self.store = FakeStore()
        self.publisher = FakePublisher()
        for number in range(PHOTOS):
            self.store.put("catalogue", f"{number}.png", photo(number))
        lines = [b'{"source": "gs://catalogue/%d.png"}' % number for number in range(PHOTOS)]
        self.manifest = read_manifest(b"\n".join(lines), model=MODEL, tenant=TENANT)
        self.engines: list[CatalogueEngine] = []

    def task(self, share: Share = Share(), on_pass: Callable[[], None] | None = None) -> BulkTask:  # noqa: B008
        def load() -> CatalogueEngine:
            self.engines.append(CatalogueEngine(MODEL))
            self.engines[-1].on_pass = on_pass
            return self.engines[-1]

        return BulkTask(
            self.manifest,
            share,
            SETTINGS,
            (self.store, self.publisher),
            load,
            metrics=JobMetrics(),
            interval=0.01,
        )

    @property
    def computed(self) -> int:
        return sum(engine.photos for engine in self.engines)

    @property
    def reports(self) -> list[Entry]:
        found: list[Entry] = []
        for name in self.store.names(BUCKETS.jobs):
            if "/report-" in name:
                stored = self.store.peek(BUCKETS.jobs, name)
                assert stored is not None
                found += msgspec.json.Decoder(Entry).decode_lines(stored.data)
        return found


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue()


def test_a_task_settles_its_photos_and_writes_its_report(
    catalogue: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert catalogue.task().run() == DONE
    assert [entry.line for entry in catalogue.reports] == list(range(1, PHOTOS + 1))
    assert all(entry.cache == "miss" for entry in catalogue.reports)
    assert len(catalogue.store.names(BUCKETS.results)) == PHOTOS == catalogue.computed
    ended = vars(next(record for record in caplog.records if record.message == "bulk_ended"))
    assert (ended["total"], ended["settled"], ended["failed"]) == (PHOTOS, PHOTOS, 0)
    assert ended["usd"] == str(sum(entry.usd for entry in catalogue.reports))
    assert "bulk_progress" in {record.message for record in caplog.records}


def test_photos_go_through_the_network_together(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[NetworkMattes] = []

    def network(*arguments: Any, **options: Any) -> NetworkMattes:
        made.append(NetworkMattes(*arguments, **options))
        return made[0]

    monkeypatch.setattr("gpu_worker.bulk.task.NetworkMattes", network)

    def first_pass() -> None:
        """Takes until others wait, unless they all came in time for it."""
        if len(catalogue.engines[0].batches) == 1 and catalogue.engines[0].in_hand == 1:
            until(lambda: made[0].waiting > 1)

    catalogue.task(on_pass=first_pass).run()
    assert max(catalogue.engines[0].batches[1:3]) > 1
    assert max(catalogue.engines[0].batches) <= 4


def test_tasks_share_the_manifest(catalogue: Catalogue) -> None:
    for task in range(3):
        assert catalogue.task(Share(task=task, tasks=3)).run() == DONE
    assert sorted(entry.line for entry in catalogue.reports) == list(range(1, PHOTOS + 1))
    assert catalogue.computed == PHOTOS


def test_a_task_that_has_nothing_left_loads_no_network(catalogue: Catalogue) -> None:
    catalogue.task().run()
    messages = len(catalogue.publisher.messages)
    assert catalogue.task().run() == DONE
    assert len(catalogue.engines) == 1
    assert len(catalogue.publisher.messages) == messages


def test_a_task_that_is_told_to_end_goes_on_in_its_next_attempt(catalogue: Catalogue) -> None:
    def stop() -> None:
        task.stop()

    task = catalogue.task(on_pass=stop)
    assert task.run() == UNFINISHED
    settled = task.progress().settled
    assert 0 < settled < PHOTOS
    assert catalogue.reports == []

    again = catalogue.task(Share(attempt=1))
    assert again.run() == DONE
    assert again.progress().recalled == settled
    assert catalogue.computed == PHOTOS
    costs = {message.attributes["ce-id"] for message in catalogue.publisher.on("costs")}
    assert len(costs) == PHOTOS


def test_a_task_that_is_told_to_end_while_it_starts_takes_up_nothing(catalogue: Catalogue) -> None:
    task = catalogue.task()
    task.stop()
    assert task.run() == UNFINISHED
    assert catalogue.computed == 0


def test_a_photo_that_can_not_be_done_does_not_fail_the_task(catalogue: Catalogue) -> None:
    catalogue.store.put("catalogue", "3.png", b"no photo")
    catalogue.store.delete("catalogue", "5.png")
    assert catalogue.task().run() == DONE
    failed = {entry.line: entry.code for entry in catalogue.reports if entry.code}
    assert failed == {4: "unsupported_format", 6: "upload_missing"}


def test_a_photo_that_may_be_done_later_fails_the_task(catalogue: Catalogue) -> None:
    def fails() -> None:
        raise TransientError("not now")

    assert catalogue.task(on_pass=fails).run() == UNFINISHED
    assert catalogue.task(Share(attempt=1)).run() == DONE
    assert len(catalogue.reports) == PHOTOS


def test_a_photo_that_came_after_all_is_done_the_next_time(
    catalogue: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    stored = catalogue.store.peek("catalogue", "5.png")
    assert stored is not None
    catalogue.store.delete("catalogue", "5.png")
    assert catalogue.task().run() == DONE
    catalogue.store.put("catalogue", "5.png", stored.data)
    again = catalogue.task()
    with caplog.at_level(logging.INFO):
        assert again.run() == DONE
    assert again.progress().recalled == PHOTOS - 1
    assert (again.progress().failed, catalogue.computed) == (0, PHOTOS)
    ended = vars(next(record for record in caplog.records if record.message == "bulk_ended"))
    bucket, _, name = ended["report"].removeprefix("gs://").partition("/")
    report = catalogue.store.peek(bucket, name)
    assert report is not None
    assert {entry.code for entry in msgspec.json.Decoder(Entry).decode_lines(report.data)} == {None}


def test_each_attempt_looks_at_the_photos_in_another_order(catalogue: Catalogue) -> None:
    """Those at the front may fail, and make it give up before the others had their turn."""
    orders = [[photo.line for photo in catalogue.task(Share(attempt=attempt))._left()] for attempt in range(4)]
    assert orders[0] == list(range(1, PHOTOS + 1))
    assert all(sorted(order) == orders[0] for order in orders)
    assert len({order[0] for order in orders}) > 1
    assert len({tuple(order) for order in orders}) == 4


def test_a_report_that_can_not_be_saved_for_a_while_loses_nothing(
    catalogue: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    task = catalogue.task()
    task._report.add(Entry(line=1, source="gs://catalogue/0.png", tenant=TENANT))
    catalogue.store.faults.arm(1, TransientError("away"))
    task._tell()
    assert "report_not_saved" in caplog.text
    task._tell()
    again = catalogue.task()
    assert [one.line for one in again._left()] == list(range(2, PHOTOS + 1))
