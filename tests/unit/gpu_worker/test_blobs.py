"""What was compiled is kept, and nothing that goes wrong with that fails a start."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gpu_worker.engines.blobs import Blob

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    Blob(folder, "model", "a processor").write(b"compiled")
    kept = Blob(folder, "model", "a processor").read()
    assert kept is not None
    assert bytes(kept) == b"compiled"
    assert len(list(folder.iterdir())) == 1


def test_nothing_was_kept_at_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert Blob(tmp_path / "cache", "model", "a processor").read() is None
    assert caplog.records == []


def test_another_processor_model_or_compiler_gets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Blob(tmp_path, "model", "a processor").write(b"compiled")
    assert Blob(tmp_path, "model", "another processor").read() is None
    assert Blob(tmp_path, "another-model", "a processor").read() is None
    monkeypatch.setattr("gpu_worker.engines.blobs.version", lambda _name: "another")
    assert Blob(tmp_path, "model", "a processor").read() is None


def test_only_the_newest_of_a_model_is_kept(tmp_path: Path) -> None:
    Blob(tmp_path, "model", "a processor").write(b"1")
    Blob(tmp_path, "other", "a processor").write(b"2")
    Blob(tmp_path, "model", "another processor").write(b"3")
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [b"2", b"3"]


def test_a_folder_that_can_not_be_written_is_said_and_no_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file in the folder's place: root may write into a read-only one."""
    (tmp_path / "cache").write_bytes(b"")
    blob = Blob(tmp_path / "cache", "model", "a processor")
    with caplog.at_level(logging.WARNING):
        blob.write(b"compiled")
        assert blob.read() is None
    assert [record.message for record in caplog.records] == ["compiled_network_not_kept", "compiled_network_unusable"]


def test_a_full_disk_is_said_and_leaves_what_was_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    Blob(tmp_path, "model", "another processor").write(b"earlier")

    def write_bytes(_path: Path, _content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", write_bytes)
    Blob(tmp_path, "model", "a processor").write(b"compiled")
    assert [record.message for record in caplog.records] == ["compiled_network_not_kept"]
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"earlier"]


def test_an_empty_file_is_of_no_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Blob(tmp_path, "model", "a processor").write(b"")
    assert Blob(tmp_path, "model", "a processor").read() is None
    assert [record.message for record in caplog.records] == ["compiled_network_unusable"]
