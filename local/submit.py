"""`python -m local submit`: photos from files, results to files, with progress."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local.storefront import RefusedError, Storefront, content_type_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Submission", "submit", "unlike_stems"]

_UNNAMED: Final = {None, "none", "png", "webp", "jpg", "avif"}
_PATIENCE: Final = 600.0
_AT_ONCE: Final = 4
_EXTENSIONS: Final = {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpg", "image/avif": "avif"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Each photo is uploaded once, for all recipes."""

    photos: Sequence[Path]
    recipes: Sequence[dict[str, Any]]
    out: Path


def submit(submission: Submission, api_url: str, api_key: str) -> int:
    """0 if every result was written, else 1. A photo that fails stops no other."""
    console = Console()
    submission.out.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    failures = 0
    with (
        Storefront(api_url, api_key) as storefront,
        ThreadPoolExecutor(_AT_ONCE) as pool,
        Progress(*columns, console=console) as progress,
    ):
        task = progress.add_task("cutting out", total=len(submission.photos))
        stems = unlike_stems(submission.photos, submission.recipes)
        running = {
            pool.submit(_one, storefront, photo, stem, submission): photo
            for photo, stem in zip(submission.photos, stems, strict=True)
        }
        for future in as_completed(running):
            try:
                line = future.result()
            except (OSError, RefusedError, TimeoutError, httpx.HTTPError) as error:
                failures += 1
                line = f"[red]{error}"
            progress.console.print(f"{running[future].name}: {line}", highlight=False, soft_wrap=True)
            progress.advance(task)
    return 1 if failures else 0


def unlike_stems(photos: Sequence[Path], recipes: Sequence[dict[str, Any]]) -> list[str]:
    """What each photo's results are named after: its own stem, with a number where two results would be one file."""
    endings = {_ending(recipe) for recipe in recipes}
    taken: set[str] = set()
    stems = []
    for photo in photos:
        for number in count(1):
            stem = photo.stem if number == 1 else f"{photo.stem}-{number}"
            names = {f"{stem}{ending}".casefold() for ending in endings}  # some file systems know no case
            if taken.isdisjoint(names):
                break
        taken |= names
        stems.append(stem)
    return stems


def _one(storefront: Storefront, photo: Path, stem: str, submission: Submission) -> str:
    data = photo.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    job = storefront.upload(data, content_type_of(photo), submission.recipes, sha256=digest)
    status = job.cached or storefront.wait(job, seconds=_PATIENCE)
    if status["state"] == "failed":
        raise RefusedError(200, status["error"]["code"], status["error"]["message"])
    names = [_write(storefront, stem, result, submission.out) for result in status["results"]]
    return f"{', '.join(names)}  ({status['cache']}, {float(status['cost_usd']):.6f} USD)"


def _write(storefront: Storefront, stem: str, result: dict[str, Any], out: Path) -> str:
    """Named after the photo and what differs; written beside and renamed, so that a file is whole or not there."""
    extension = _EXTENSIONS[result["content_type"]]
    path = out / f"{stem}{_ending(result['recipe'])}.{extension}"
    unfinished = path.with_suffix(f".{extension}.part")
    unfinished.write_bytes(storefront.download(result["url"]))
    unfinished.replace(path)
    return path.name


def _ending(recipe: dict[str, Any]) -> str:
    """What tells the results of one photo apart."""
    return "".join(f"-{value}" for name in ("effect", "format") if (value := recipe.get(name)) not in _UNNAMED)
