"""What is saved of a catalogue is found again, and told once."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from events.errors import TransientError
from gpu_worker.bulk.progress import Progress
from gpu_worker.bulk.report import Entry, Made, Report
from gpu_worker.bulk.share import Share
from tests.fakes import FakeStore
from tests.unit.examples import JOB_ID
from tests.unit.scene import GPU

BUCKET = "j-cutout"
DIGEST = "d" * 64


def made(cache: Any = "miss") -> Made:
    return Made(object="gs://r-cutout/x.png", width=3, height=2, bytes=9, cache=cache)


def entry(line: int, **fields: Any) -> Entry:
    return Entry(line=line, source=f"gs://catalogue/{line}.jpg", tenant="acme", **({"results": (made(),)} | fields))


def report(store: FakeStore, share: Share = Share()) -> Report:  # noqa: B008  # a value
    return Report(store, BUCKET, DIGEST, share)


def test_saved_entries_are_found_by_another_number_of_tasks() -> None:
    store = FakeStore()
    first, other = report(store, Share(task=0, tasks=2)), report(store, Share(task=1, tasks=2))
    for line in (5, 1):
        first.add(entry(line))
    other.add(entry(3, results=(), code="corrupt_image", message="no", usd=Decimal("0.000001000"), job_id=JOB_ID))
    first.save()
    other.save()
    alone = report(store)
    alone.recall([1, 3, 4])
    assert alone.entries == (
        entry(1),
        entry(3, results=(), code="corrupt_image", message="no", usd=Decimal("0.000001000"), job_id=JOB_ID),
    )


def test_only_what_is_new_is_saved() -> None:
    store = FakeStore()
    one = report(store)
    for line in (1, 2):
        one.add(entry(line))
        one.save()
        one.save()
    parts = [store.peek(BUCKET, name) for name in store.names(BUCKET)]
    assert sorted(part.data.count(b"\n") for part in parts if part) == [1, 1]


def test_what_could_not_be_saved_is_saved_the_next_time() -> None:
    store = FakeStore()
    one = report(store)
    one.add(entry(1))
    store.faults.arm(1, TransientError("away"))
    with pytest.raises(TransientError):
        one.save()
    one.add(entry(2))
    one.save()
    again = report(store)
    again.recall([1, 2])
    assert [found.line for found in again.entries] == [1, 2]


def test_a_finished_report_has_every_entry_in_the_order_of_lines() -> None:
    store = FakeStore()
    one = report(store, Share(task=1, tasks=3))
    for line in (7, 2):
        one.add(entry(line))
    url = one.finish()
    assert one.finish() == url
    [name] = store.names(BUCKET)
    assert url == f"gs://{BUCKET}/{name}"
    assert re.fullmatch(f"~bulk/{DIGEST}/report-00001-of-00003-[0-9a-f]{{8}}.jsonl", name)
    assert url.startswith(one.folder)
    stored = store.peek(BUCKET, name)
    assert stored is not None
    assert [line["line"] for line in map(msgspec.json.decode, stored.data.splitlines())] == [2, 7]
    assert "code" not in msgspec.json.decode(stored.data.splitlines()[0])


def test_another_end_is_another_report() -> None:
    store = FakeStore()
    one = report(store)
    one.add(entry(1, results=(), code="upload_missing"))
    first = one.finish()
    one.add(entry(1))
    assert one.finish() != first
    assert len(store.names(BUCKET)) == 2


def test_what_never_became_a_job_is_not_recalled() -> None:
    store = FakeStore()
    one = report(store)
    one.add(entry(1, results=(), code="upload_missing"))
    one.add(entry(2, results=(), code="corrupt_image", job_id=JOB_ID))
    one.add(entry(3))
    one.save()
    again = report(store)
    again.recall([1, 2, 3])
    assert [found.line for found in again.entries] == [2, 3]


def test_progress_counts_what_was_settled_and_how_fast() -> None:
    entries = [
        entry(1, results=(made("hit"), made("hit"))),
        entry(2, results=(made("hit"), made("miss")), usd=Decimal("0.25")),
        entry(3, results=(), code="corrupt_image", usd=Decimal("0.5")),
    ]
    now = Progress.of(entries, total=7, recalled=1, seconds=4.0, billing=GPU)
    assert (now.settled, now.completed, now.failed, now.cached) == (3, 2, 1, 1)
    assert now.per_second == 0.5
    assert now.seconds_left == 8.0
    assert now.fields()["usd"] == "0.75"
    assert Decimal(str(now.fields()["instance_usd"])) == GPU.price(GPU.usage(4.0))


def test_progress_says_nothing_of_the_end_before_a_photo_is_settled() -> None:
    now = Progress.of([], total=7, recalled=0, seconds=0.0, billing=GPU)
    assert now.fields()["seconds_left"] is None
    assert now.per_second == 0
