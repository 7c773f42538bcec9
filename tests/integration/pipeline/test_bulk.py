"""Catalogues on the real servers: tasks that share a manifest, deaths, and what the service knows already."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from events.messages import ResultCompleted
from gpu_worker.bulk.report import Entry
from local.fake_gcs import create_buckets
from local.stack import ROOT
from tests.integration.pipeline.test_crashes import a_photo, costs_of
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.notifications import Notifications
    from local.stack import Stack
    from local.storefront import Storefront

BUCKET = "catalogue"
FIRST_SEED = 5000


class Catalogue:
    """Photos and a manifest in a bucket of the tenant's own, and processes that work through it."""

    def __init__(self, stack: Stack, tenant: str) -> None:
        self._stack = stack
        self._tenant = tenant
        create_buckets(stack.storage_url, stack.project, (BUCKET,))

    def write(self, name: str, seeds: Sequence[int], *bad: bytes) -> str:
        """A manifest of these photos and of bad lines; returns its URL."""
        lines = list(bad)
        for seed in seeds:
            self._stack.store.create(BUCKET, f"{name}/{seed}.jpg", a_photo(seed), content_type="image/jpeg")
            lines.append(msgspec.json.encode({"source": f"gs://{BUCKET}/{name}/{seed}.jpg", "id": str(seed)}))
        self._stack.store.create(BUCKET, f"{name}.jsonl", b"\n".join(lines), content_type="application/x-ndjson")
        return f"gs://{BUCKET}/{name}.jsonl"

    def start(self, manifest: str, *, task: int = 0, tasks: int = 1, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.integration.pipeline.instant_bulk", manifest, "--tenant", self._tenant],
            cwd=ROOT,
            env=os.environ
            | self._stack.worker_environ()
            | {"CLOUD_RUN_TASK_INDEX": str(task), "CLOUD_RUN_TASK_COUNT": str(tasks)}
            | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, manifest: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """The exit status, and what the last line of the log says."""
        process = self.start(manifest, **options)
        out, err = process.communicate(timeout=PATIENCE)
        assert out, err
        return process.returncode, msgspec.json.decode(out.splitlines()[-1])

    def entries(self, told: dict[str, Any]) -> list[Entry]:
        """Of the report that the last line of a log names."""
        bucket, _, name = told["report"].removeprefix("gs://").partition("/")
        stored = self._stack.store.read(bucket, name)
        assert stored is not None
        return msgspec.json.Decoder(Entry).decode_lines(stored.data)

    def wait_for_results(self, least: int) -> None:
        until(self.results, lambda results: len(results) >= least)

    def results(self) -> list[str]:
        return [stat.name for stat in self._stack.store.list(self._stack.buckets.results, f"{self._tenant}/")]


def test_tasks_share_a_manifest_and_one_that_is_killed_goes_on(stack: Stack) -> None:
    """Every photo has one result and one cost, and the report has every line once."""
    catalogue = Catalogue(stack, "killed")
    seeds = range(FIRST_SEED, FIRST_SEED + 24)
    manifest = catalogue.write("killed", seeds)
    with costs_of(stack) as costs:
        mortal = catalogue.start(manifest, task=0, tasks=2, INSTANT_SECONDS="0.2")
        catalogue.wait_for_results(3)
        mortal.send_signal(signal.SIGKILL)
        mortal.communicate()
        assert len(catalogue.results()) < len(seeds) / 2

        told = [catalogue.run(manifest, task=task, tasks=2) for task in (1, 0)]
        assert [status for status, _ in told] == [0, 0]
        entries = [entry for _, last in told for entry in catalogue.entries(last)]
        assert sorted(entry.line for entry in entries) == [line + 1 for line in range(len(seeds))]
        assert {entry.cache for entry in entries} == {"miss"}
        assert sorted(made.object for entry in entries for made in entry.results) == sorted(
            f"gs://{stack.buckets.results}/{name}" for name in catalogue.results()
        )
        for entry in entries:
            assert entry.job_id is not None
            distinct = {cost.id: cost.data for cost in costs(entry.job_id, at_least=1)}
            assert [cost.usd for cost in distinct.values()] == [entry.usd]
    assert sum(Decimal(last["usd"]) for _, last in told) == sum(entry.usd for entry in entries) > 0

    status, last = catalogue.run(manifest)  # by another number of tasks
    assert (status, last["recalled"], last["settled"]) == (0, 24, 24)


def test_a_task_that_is_told_to_end_ends_in_time_and_goes_on(stack: Stack) -> None:
    catalogue = Catalogue(stack, "ended")
    manifest = catalogue.write("ended", range(FIRST_SEED + 100, FIRST_SEED + 112))
    process = catalogue.start(manifest, INSTANT_SECONDS="0.3")
    catalogue.wait_for_results(1)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=PATIENCE)
    last = msgspec.json.decode(out.splitlines()[-1])
    assert (process.returncode, last["message"]) == (1, "bulk_unfinished")

    status, again = catalogue.run(manifest)
    assert status == 0
    assert again["recalled"] == last["settled"] > 0
    assert len(catalogue.results()) == 12


def test_results_are_those_of_the_service_and_a_known_photo_costs_nothing(
    stack: Stack, storefront: Storefront, notifications: Notifications
) -> None:
    known, new = FIRST_SEED + 200, FIRST_SEED + 201
    uploaded = storefront.upload(a_photo(known), "image/jpeg", [{}])
    told = notifications.wait_for(uploaded.job_id, seconds=PATIENCE).result
    assert isinstance(told, ResultCompleted)

    catalogue = Catalogue(stack, stack.tenant)
    status, last = catalogue.run(catalogue.write("known", [known, new]))
    assert status == 0
    hit, miss = catalogue.entries(last)
    assert [made.object for made in hit.results] == [
        f"gs://{one.object.bucket}/{one.object.name}" for one in told.results
    ]
    assert hit.cache == "hit"
    assert hit.usd == 0
    assert miss.cache == "miss"
    assert miss.usd > 0

    later = storefront.upload(a_photo(new), "image/jpeg", [{}])
    answer = notifications.wait_for(later.job_id, seconds=PATIENCE).result
    assert isinstance(answer, ResultCompleted)
    assert [one.cache for one in answer.results] == ["hit"]
    assert [f"gs://{one.object.bucket}/{one.object.name}" for one in answer.results] == [
        made.object for made in miss.results
    ]
    assert hit.job_id is not None
    assert notifications.of(hit.job_id) == []


@pytest.mark.parametrize("bad", [(b'{"source": "1.jpg"}', b'{"source": "gs://catalogue/x", "recipes": []}', b"{")])
def test_a_wrong_manifest_costs_nothing_and_every_wrong_line_is_told(stack: Stack, bad: tuple[bytes, ...]) -> None:
    catalogue = Catalogue(stack, "wrong")
    process = catalogue.start(catalogue.write("wrong", [FIRST_SEED], *bad))
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert out == ""
    assert [line.split(": ")[1] for line in err.splitlines()] == ["line 1, source", "line 2, recipes", "line 3"]
    assert catalogue.results() == []
    again = catalogue.start(f"gs://{BUCKET}/wrong.jsonl", CLOUD_RUN_TASK_ATTEMPT="1")
    out, err = again.communicate(timeout=PATIENCE)
    assert (again.returncode, out) == (2, "")
    assert err.startswith(f"gs://{BUCKET}/wrong.jsonl: 3 problems, the first one: line 1, source: ")
    assert err.count("\n") == 1


def test_a_manifest_is_checked_without_settings(stack: Stack) -> None:
    manifest = Catalogue(stack, "checked").write("checked", [FIRST_SEED])
    done = subprocess.run(
        [sys.executable, "-m", "gpu_worker.bulk", manifest, "--tenant", "checked", "--check"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "STORAGE_EMULATOR_HOST": stack.storage_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{manifest}: no problems; photos: 1\n", "")


def test_a_manifest_that_is_not_there_is_told(stack: Stack) -> None:
    process = Catalogue(stack, "wrong").start(f"gs://{BUCKET}/nowhere.jsonl")
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (2, f"gs://{BUCKET}/nowhere.jsonl: there is no such object\n")
