"""The archive of the functions is complete, and the same for the same sources."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from functions.main import FUNCTIONS
from terraform import archive

ROOT = Path(__file__).parents[3]

IMPORT_EVERYTHING = """
import importlib, sys
sys.path.insert(0, ".")
import main
for name in sys.argv[1:]:
    importlib.import_module(f"functions.{name}").build
ours = {name for name in sys.modules if name.split(".")[0] in ("gpu_worker", "local", "tests", "bench")}
assert not ours, ours
assert callable(main.__getattr__)
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    archive.write_archive(folder / "functions.zip")
    with zipfile.ZipFile(folder / "functions.zip") as packed:
        packed.extractall(folder / "source")
    return folder / "source"


def test_every_function_can_be_imported_from_the_archive_alone(unpacked: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", IMPORT_EVERYTHING, *FUNCTIONS],
        cwd=unpacked,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.zip", "other.zip"):
        assert archive.main([str(tmp_path / name)]) == 0
    digests = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("one.zip", "other.zip")}
    assert len(digests) == 1


def test_requirements_are_the_functions_pinned_ones(unpacked: Path) -> None:
    requirements = (unpacked / "requirements.txt").read_text(encoding="utf-8")
    assert requirements == (ROOT / "requirements" / "functions.txt").read_text(encoding="utf-8")
    assert "-c constraints.txt" in requirements
    assert (unpacked / "constraints.txt").exists()
    assert "tzdata==" in requirements  # Cloud Functions' image has no time zones


def test_data_that_the_code_reads_is_there_and_nothing_that_was_compiled() -> None:
    names = archive.contents().keys()
    assert {"warehouse/cost_events.schema.json", "warehouse/queries/popular_recipes.sql"} <= names
    assert not [name for name in names if name.endswith(".pyc")]
