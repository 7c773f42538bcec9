"""Which weights to run, of all that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gpu_worker.weights.errors import WeightsMissingError
from gpu_worker.weights.manifest import Weights

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_worker.weights.manifest import Precision

__all__ = ["find_weights", "weights_in"]

PREFERENCE: Final = ("inspyrenet-base", "inspyrenet-fast", "isnet-medium")
"""Which weights to take from a folder that has several; others come last."""


def find_weights(explicit: Path | None, baked: Path, local: Path, *, precision: Precision = "f32") -> Weights:
    """The weights to run: those at `explicit` if given, else the image's own, else those fetched at set-up.

    `explicit` is a folder, a manifest, or a file that a manifest beside it names; if it is given and wrong, nothing
    else is tried. Of several weights in a folder the first of `PREFERENCE` is taken, and of one network's those in
    `precision`, or else in float32, of which every precision can be made. Raises `WeightsMissingError` naming every
    place that was looked at.
    """
    if explicit is not None and not explicit.is_dir():
        return Weights.read(_manifest_of(explicit))
    folders = (baked, local) if explicit is None else (explicit,)
    for folder in folders:
        usable = [weights for weights in weights_in(folder) if weights.precision in {precision, "f32"}]
        if usable:
            return min(usable, key=lambda weights: (_rank(weights), weights.precision != precision))
    places = " or ".join(str(folder) for folder in folders)
    raise WeightsMissingError(f"no weights for {precision} in {places}; `make weights` fetches some", places=places)


def weights_in(folder: Path) -> list[Weights]:
    """All weights of a folder, the preferred first; none where there is no such folder."""
    return sorted((Weights.read(manifest) for manifest in folder.glob("*.json")), key=_rank)


def _rank(weights: Weights) -> tuple[int, str]:
    rank = PREFERENCE.index(weights.name) if weights.name in PREFERENCE else len(PREFERENCE)
    return rank, weights.name


def _manifest_of(path: Path) -> Path:
    """The manifest that is at `path` or names it; the one that should be there where none does."""
    beside = path.with_suffix(".json")
    if beside.exists():
        return beside
    naming = (manifest for manifest in path.parent.glob("*.json") if Weights.read(manifest).path == path)
    return next(naming, beside)
