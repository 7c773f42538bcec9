"""A packed file says what it is, and anything else is refused with what to do about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from gpu_worker.weights import WeightsError
from gpu_worker.weights.packed import FORMAT, Header, read_header

if TYPE_CHECKING:
    from pathlib import Path

_HEADER = Header(model="inspyrenet-fast", precision="bf16", source_sha256="0" * 64)


def _save(path: Path, metadata: dict[str, str] | None) -> Path:
    save_file({"a": torch.zeros(2)}, path, metadata)
    return path


def _changed(**fields: object) -> dict[str, str]:
    """The header's metadata, some of its fields changed."""
    (entry,) = _HEADER.metadata().items()
    return {entry[0]: json.dumps(json.loads(entry[1]) | fields)}


def test_a_header_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_header(_save(tmp_path / "packed", _HEADER.metadata())) == _HEADER


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        (None, r"not packed; `python -m gpu_worker.pack` makes such a file"),
        ({"format": "pt"}, "not packed"),
        ({"cutout": "{"}, "not packed by this project"),
        (_changed(format=FORMAT + 1), rf"packed in format {FORMAT + 1}, but this version reads {FORMAT}; pack its"),
        (_changed(format=FORMAT + 1, quantised=True), f"packed in format {FORMAT + 1}"),
        (_changed(precision="int8"), "not packed by this project: Invalid enum value 'int8'"),
        (_changed(source_sha256="unknown"), "not packed by this project"),
        (_changed(colour="red"), "not packed by this project"),
    ],
)
def test_another_file_of_safetensors_is_refused(tmp_path: Path, metadata: dict[str, str] | None, problem: str) -> None:
    with pytest.raises(WeightsError, match=problem):
        read_header(_save(tmp_path / "packed", metadata))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "packed"
    path.write_bytes(b"something else")
    with pytest.raises(WeightsError, match="packed: not a safetensors file"):
        read_header(path)
