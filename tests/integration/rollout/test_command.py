"""`python -m rollout`, as a build and a person call it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from jobs.desk import utc_now
from local.stack import ROOT, Stack
from rollout.__main__ import main
from rollout.record import LAST, noted, under_way
from tests.fakes import Crash
from tests.integration.rollout.world import IMAGE, NEW, OLD, OLD_IMAGE, Traffic, World

if TYPE_CHECKING:
    from collections.abc import Iterator

WHERE: Final = ("--project", "cutout-shop", "--region", "europe-west4")


@pytest.fixture
def world(pubsub: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with World(pubsub, traffic=Traffic({"204": 40})) as running:
        monkeypatch.setenv("RUN_EMULATOR_HOST", running.run.address)
        monkeypatch.setenv("MONITORING_EMULATOR_HOST", running.monitoring.address)
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
        yield running


def test_a_dry_run_says_everything_and_changes_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    before = world.service
    assert main(["deploy", *WHERE, "--image", IMAGE, "--holder", "build-1", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "at most 2 instances meanwhile" in told
    assert "would push jobs" in told
    assert "10% of the traffic" in told
    assert told.count("would change gpu-worker") == 4
    assert world.service == before
    assert (world.run.updates, world.monitoring.requests, world.lanes()) == ([], [], ())


def test_a_dry_run_goes_on_from_where_a_killed_one_was(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.faults.arm(30, Crash())
    with pytest.raises(Crash):
        world.roll_out()
    assert main(["status", *WHERE]) == 0
    assert "of build-1" in capsys.readouterr().out
    assert main(["deploy", *WHERE, "--image", IMAGE, "--holder", "build-2", "--dry-run"]) == 0
    assert "taking over from build-1" in capsys.readouterr().out
    made = len(world.run.updates)
    assert main(["rollback", *WHERE, "--holder", "ann", "--dry-run"]) == 0
    assert len(world.run.updates) == made


def test_what_serves_already_needs_nothing(world: World) -> None:
    assert main(["deploy", *WHERE, "--image", OLD_IMAGE]) == 0
    assert world.run.updates == []


def test_a_rollout_of_somebody_else_refuses_a_second_one(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.faults.arm(20, Crash())
    with pytest.raises(Crash):
        world.roll_out()
    world.run.change(world.path, annotations=_seen_now(world))
    assert main(["deploy", *WHERE, "--image", IMAGE, "--holder", "build-2"]) == 4
    assert "build-1 rolls out" in capsys.readouterr().out


def test_a_rollout_is_rolled_back_by_hand(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.faults.arm(20, Crash())
    with pytest.raises(Crash):
        world.roll_out()
    assert main(["rollback", *WHERE, "--holder", "ann"]) == 0
    assert "by hand, by ann" in world.service.annotations[LAST]
    assert [(each.revision, each.percent) for each in world.service.traffic] == [(OLD, 100)]
    assert main(["rollback", *WHERE]) == 4
    assert main(["status", *WHERE]) == 0
    assert f"rolled_back {NEW}" in capsys.readouterr().out


def test_an_image_by_tag_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["deploy", *WHERE, "--image", "registry/worker/gpu-worker:latest"])
    assert "may be another image tomorrow" in capsys.readouterr().err


def test_a_smoke_test_without_a_job_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["deploy", *WHERE, "--image", IMAGE, "--jobs", "0"])
    assert "0 is less than 1" in capsys.readouterr().err


def test_a_service_that_is_not_there_is_an_error(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", *WHERE, "--service", "payments"]) == 1
    assert "can't read payments" in capsys.readouterr().out


def test_help_tells_of_every_command_and_every_status() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rollout", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for word in ("deploy", "promote", "rollback", "status", "smoke", "3 rolled back", "4 refused"):
        assert word in done.stdout


def test_a_photo_goes_through_the_public_api(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Stack.instant(tmp_path_factory.mktemp("stack")) as stack:
        monkeypatch.setenv("SMOKE_KEY", stack.api_key)
        smoke = ["smoke", "--api-url", stack.api_url]
        assert main(smoke) == 0
        assert "(miss," in capsys.readouterr().out
        assert main(smoke) == 0
        assert "(miss," in capsys.readouterr().out
        monkeypatch.setenv("SMOKE_KEY", "wrong")
        assert main(smoke) == 1
        assert "unauthorized" in capsys.readouterr().out
        del os.environ["SMOKE_KEY"]
        assert main(smoke) == 1


def _seen_now(world: World) -> dict[str, str]:
    """The worlds' clocks are not that of the command."""
    record = under_way(world.service.annotations)
    assert record is not None
    return noted(world.service.annotations, msgspec.structs.replace(record, seen_at=utc_now()))
