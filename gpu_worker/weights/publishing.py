"""How weights come into a folder: whole, or not at all."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gpu_worker.weights.digests import digest_of
from gpu_worker.weights.errors import WeightsError
from gpu_worker.weights.manifest import Manifest, Weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_worker.weights.manifest import Precision

__all__ = ["manifest_name", "publish", "workspace"]


@contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """A folder for half-done work, on the file system of `folder` so that a rename finishes it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as work:
        yield Path(work)


def publish(
    file: Path, folder: Path, *, name: str, source: str, licence: str, obtained: str, precision: Precision = "f32"
) -> Weights:
    """Move a finished file into `folder`, then its manifest: whoever sees a manifest sees the whole file.

    The same network's manifest and file in the same precision are replaced. Who has mapped that file keeps it.
    """
    manifest = Manifest(
        name=name,
        file=file.name,
        sha256=digest_of(file, "sha256"),
        bytes=file.stat().st_size,
        source=source,
        licence=licence,
        obtained=obtained,
        precision=precision,
    )
    place = folder / manifest_name(name, precision)
    replaced = _file_of(place)
    draft = file.with_name(place.name)
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    weights = Weights(manifest, folder / file.name)
    file.replace(weights.path)
    draft.replace(place)
    if replaced is not None and replaced != weights.path:
        replaced.unlink()
    return weights


def manifest_name(name: str, precision: Precision) -> str:
    """The file name of a network's manifest."""
    return f"{name}.json" if precision == "f32" else f"{name}-{precision}.json"


def _file_of(manifest: Path) -> Path | None:
    try:
        return Weights.read(manifest).path
    except WeightsError:
        return None
