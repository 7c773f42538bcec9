"""What a packed file says of itself, without its tensors.

It is a safetensors file (https://huggingface.co/docs/safetensors) whose metadata has one entry, `cutout`, a `Header`
in JSON. One entry, since the order of several would change from file to file, and with it the file's digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from safetensors import SafetensorError, safe_open

from gpu_worker.weights.errors import WeightsError
from gpu_worker.weights.manifest import Precision

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Header", "read_header"]

FORMAT: Final = 1
"""Raise it with every change of what `gpu_worker.inspyrenet.lean.fold` makes: older files are then refused."""

_ENTRY: Final = "cutout"


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is in the file. `source_sha256` is the digest of the checkpoint that it was made of."""

    format: int = FORMAT
    model: str
    precision: Precision
    source_sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]

    def metadata(self) -> dict[str, str]:
        """As safetensors stores it."""
        return {_ENTRY: msgspec.json.encode(self).decode()}


def read_header(path: Path) -> Header:
    """Raises `WeightsError` where the file is anything else than a packed one of this version's format."""
    try:
        with safe_open(path, framework="np") as file:
            entry = (file.metadata() or {}).get(_ENTRY)
    except SafetensorError as error:
        raise WeightsError(f"{path}: not a safetensors file: {error}", path=str(path)) from error
    if entry is None:
        raise WeightsError(f"{path}: not packed; `python -m gpu_worker.pack` makes such a file", path=str(path))
    try:
        found = msgspec.json.decode(entry, type=_Format).format
        if found == FORMAT:
            return msgspec.json.decode(entry, type=Header)
    except msgspec.DecodeError as error:
        raise WeightsError(f"{path}: not packed by this project: {error}", path=str(path)) from error
    raise WeightsError(
        f"{path}: packed in format {found}, but this version reads {FORMAT}; pack its checkpoint again", path=str(path)
    )


class _Format(msgspec.Struct, frozen=True):
    format: int
