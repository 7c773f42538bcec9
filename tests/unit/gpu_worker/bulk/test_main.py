"""What the program says of a manifest before there is any work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gpu_worker.bulk.__main__ import WRONG, main
from gpu_worker.bulk.manifest import MAX_BYTES
from gpu_worker.bulk.task import DONE

if TYPE_CHECKING:
    from pathlib import Path

RIGHT = b'{"source": "gs://catalogue/1.jpg"}\n{"source": "gs://catalogue/2.jpg"}\n'
BAD = b'{"source": "1.jpg"}\n{"source": "gs://catalogue/2.jpg", "colour": "red"}\n'


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROJECT", "CONTENT_SECRET", "TENANT_NAMES", "CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_ATTEMPT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(RIGHT)
    return path


def check(manifest: Path, tenant: str = "acme") -> int:
    return main([str(manifest), "--tenant", tenant, "--check"])


def test_a_manifest_is_checked_without_settings_cloud_or_network(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(manifest) == DONE
    assert capsys.readouterr() == (f"{manifest}: no problems; photos: 2\n", "")


def test_every_problem_is_a_line(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest.write_bytes(BAD)
    assert check(manifest) == WRONG
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(": ")[1] for line in err.splitlines()] == ["line 1, source", "line 2, colour"]


@pytest.mark.parametrize("told", ["CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_ATTEMPT"])
def test_other_tasks_and_attempts_say_no_more_than_that_it_is_wrong(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], told: str
) -> None:
    monkeypatch.setenv("CLOUD_RUN_TASK_COUNT", "2")
    monkeypatch.setenv(told, "1")
    manifest.write_bytes(BAD)
    assert check(manifest) == WRONG
    _, err = capsys.readouterr()
    assert err.startswith(f"{manifest}: 2 problems, the first one: line 1, source: ")
    assert err.count("\n") == 1


def test_a_file_that_is_too_large_is_not_read(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with manifest.open("r+b") as file:
        file.truncate(MAX_BYTES + 1)
    assert check(manifest) == WRONG
    assert "134217729 bytes, at most 134217728" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tenant", "told"),
    [("acmee", "--tenant 'acmee' is none of acme, globex"), ("Acme", "--tenant 'Acme' does not match ")],
)
def test_a_tenant_that_there_is_not_is_told_once(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tenant: str, told: str
) -> None:
    monkeypatch.setenv("TENANT_NAMES", "globex,acme")
    assert check(manifest, tenant) == WRONG
    _, err = capsys.readouterr()
    assert err.startswith(f"{manifest}: {told}")
    assert err.count("\n") == 1
    assert check(manifest, "globex") == DONE
