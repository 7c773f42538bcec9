"""Twenty photos of mixed sizes over HTTP, one at a time and eight at a time.

Ours is the worker's own process on emulated storage and Pub/Sub: a photo is done once its cutout and all records are
stored. Pushes come straight from here, since the Pub/Sub emulator makes at most two at once. The peer has no service;
it stands behind the standard library's HTTP server, and its cutout is the answer.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import httpx

from bench.measurement import Measurement, alternate, column
from bench.pictures import LOAD
from bench.service import Emulators
from local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.children import Contender
    from bench.field import Field
    from bench.measurement import Figures
    from bench.service import Worker

__all__ = ["TITLE", "measure"]

TITLE: Final = "20 mixed photos over HTTP, 0.3 to 12 MP, fast"
_AT_ONCE: Final = 8
_QUICK_STEP: Final = 4
"""A quick run takes every fourth photo."""
_PATIENCE: Final = 600.0


def measure(field: Field, *, quick: bool) -> tuple[list[Measurement], list[str]]:
    """Measurements, and notes on them."""
    pictures = LOAD[::_QUICK_STEP] if quick else LOAD
    photos = [field.photos / picture.name for picture in pictures]
    with ExitStack() as exits:
        state = Path(exits.enter_context(tempfile.TemporaryDirectory()))
        emulators = exits.enter_context(Emulators(state))
        peer = exits.enter_context(field.stock("fast").start(field.logs))
        targets: list[_Target] = [_Peer(peer, exits.enter_context(httpx.Client(timeout=_PATIENCE, trust_env=False)))]
        for service in field.services("fast"):
            worker = exits.enter_context(emulators.worker("gpu_worker", service.environ))
            targets.append(_Ours(service.name, emulators, worker))
        _in_turns(targets, photos[:1], "not counted")
        return [
            _one_at_a_time(targets, photos),
            *_many_at_once(targets, photos),
            Measurement(
                what="peak memory", unit="bytes", peer=peer.name, values={each.name: [each.peak()] for each in targets}
            ),
        ], [f"One at a time: the median photo, and the median of {len(photos)} ratios. Memory: at the end."]


class _Target(Protocol):
    @property
    def name(self) -> str: ...

    def cut(self, photo: Path) -> float:
        """Have one cutout made; the seconds that it took. From any thread."""

    def peak(self) -> float:
        """Bytes of the process's memory."""


class _Peer:
    def __init__(self, contender: Contender, client: httpx.Client) -> None:
        self.name = contender.name
        self._contender = contender
        self._client = client
        self._url = f"http://{LOOPBACK}:{contender.ask(listen=True)['port']}"

    def cut(self, photo: Path) -> float:
        data = photo.read_bytes()
        started = time.perf_counter()
        self._client.post(self._url, content=data).raise_for_status()
        return time.perf_counter() - started

    def peak(self) -> float:
        return float(self._contender.peak_bytes)


class _Ours:
    """Every photo belongs to a tenant of its own, so that none is answered from the cache."""

    def __init__(self, name: str, emulators: Emulators, worker: Worker) -> None:
        self.name = name
        self._emulators = emulators
        self._worker = worker
        self._tenants = itertools.count()

    def cut(self, photo: Path) -> float:
        job = self._emulators.submit(photo, f"{self.name.replace(' ', '-')}-{next(self._tenants)}")
        started = time.perf_counter()
        self._worker.do(job)
        return time.perf_counter() - started

    def peak(self) -> float:
        return float(self._worker.peak_bytes)


def _in_turns(targets: Sequence[_Target], photos: Sequence[Path], label: str) -> dict[str, list[float]]:
    """Each photo at every target before the next photo."""
    seconds: dict[str, list[float]] = {target.name: [] for target in targets}
    for photo in photos:
        tasks = {target.name: partial(_one, target, photo) for target in targets}
        for name, values in column(alternate(1, tasks, f"{label}, {photo.name}"), "photo").items():
            seconds[name] += values
    return seconds


def _one(target: _Target, photo: Path) -> Figures:
    return {"photo": target.cut(photo)}


def _one_at_a_time(targets: Sequence[_Target], photos: Sequence[Path]) -> Measurement:
    values = _in_turns(targets, photos, "1 at a time")
    return Measurement(what="1 at a time: a photo's time", unit="s", peer=targets[0].name, values=values)


def _many_at_once(targets: Sequence[_Target], photos: Sequence[Path]) -> list[Measurement]:
    label = f"{_AT_ONCE} at a time"
    figures = alternate(1, {target.name: partial(_all, target, photos) for target in targets}, label)
    return [
        Measurement(what=f"{label}: {part}", unit="s", peer=targets[0].name, values=column(figures, part))
        for part in ("time per photo done", "slowest photo")
    ]


def _all(target: _Target, photos: Sequence[Path]) -> Figures:
    started = time.perf_counter()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        each = list(pool.map(target.cut, photos))
    return {"time per photo done": (time.perf_counter() - started) / len(photos), "slowest photo": max(each)}
