"""What is missing is named, with how to install it, before anything is installed or downloaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from local.preflight import main, missing
from local.stack import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The environment of a machine on which nothing is installed."""
    monkeypatch.setattr("local.emulator_files._USUAL_ROOTS", (str(tmp_path / "usual"),))
    return {"PATH": str(tmp_path)}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of a fresh clone as make looks at first."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "local", tmp_path / "local", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "requirements.txt").touch()
    return tmp_path


def make(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--directory", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environ)


def test_everything_that_is_missing_is_named_at_once(bare: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emulator", "npm"], bare) == 1
    said = capsys.readouterr().err
    assert "apt-get install google-cloud-cli-pubsub-emulator" in said
    assert "apt-get install npm" in said


def test_an_emulator_that_runs_elsewhere_needs_no_java(bare: dict[str, str]) -> None:
    assert missing(["emulator"], bare | {"PUBSUB_EMULATOR_HOST": "127.0.0.1:8085"}) == []


def test_only_what_is_needed_is_looked_for(bare: dict[str, str]) -> None:
    assert main([], bare) == 0


@pytest.mark.parametrize("target", ["install", "demo", "up", "test", "policies"])
@pytest.mark.parametrize("python", ["", "no-such-python", "old-python"])
def test_make_names_the_python_that_it_needs(checkout: Path, target: str, python: str) -> None:
    (checkout / "old-python").write_text("#!/bin/sh\nexit 1\n")
    (checkout / "old-python").chmod(0o755)
    (checkout / "requirements").mkdir()
    (checkout / "requirements" / "checkov.txt").touch()
    done = make(checkout, target, f"PYTHON={python and checkout / python}")
    assert done.returncode != 0
    assert "Python 3.11 or newer is missing" in done.stderr
    assert "make PYTHON=" in done.stderr
    assert not list(checkout.glob(".venv*"))


@pytest.mark.parametrize("target", ["demo", "up", "test"])
def test_make_looks_for_java_before_it_installs_anything(checkout: Path, target: str) -> None:
    done = make(checkout, target, f"PYTHON={sys.executable}", JAVA_HOME="/nowhere", PUBSUB_EMULATOR_HOST="")
    assert done.returncode != 0
    assert "The Pub/Sub emulator needs Java, and there is none" in done.stderr
    assert not list(checkout.glob(".venv*"))
