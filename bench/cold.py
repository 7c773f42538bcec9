"""From the start of a process to its first PNG, of one megapixel.

`cutout` is a script like the peers'. `worker` is the service as it is deployed: a job waits for it when it starts, it
takes the photo from storage, and it is done once everything about the job is stored.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from bench.environments import OURS, PEERS, files_of
from bench.measurement import Measurement, alternate, column
from bench.page_cache import cached_share, evict
from bench.pictures import SINGLE
from bench.service import Emulators

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bench.field import Entry, Field, Service
    from bench.measurement import Figures

    Tasks = Mapping[str, Callable[[], Figures]]

__all__ = ["TITLE", "measure"]

TITLE: Final = "From process start to first PNG, 1 MP"
_EVICTED_ROUNDS: Final = {"fast": 5, "isnet": 2}
_WARM_ROUNDS: Final = {"fast": 2, "isnet": 2}


def measure(field: Field, *, quick: bool) -> tuple[list[Measurement], list[str]]:
    """Measurements, and notes on them."""
    measurements = []
    with ExitStack() as exits:
        state = Path(exits.enter_context(tempfile.TemporaryDirectory()))
        emulators = exits.enter_context(Emulators(state))
        races = {"fast": _inspyrenets(field, emulators)}
        if "isnet" in field.models:
            races["isnet"] = _isnets(field)
        for model, race in races.items():
            # Python and numba keep what they compile at the very first start.
            _measured(f"{model}, not counted", 1, _tasks(race))
            evicted = _tasks(race, before=lambda start: evict(start.files))
            rounds = 1 if quick else _EVICTED_ROUNDS[model]
            measurements.append(_measured(f"{model}, page cache evicted", rounds, evicted))
            if not quick:
                measurements.append(_measured(f"{model}, warm page cache", _WARM_ROUNDS[model], _tasks(race)))
        if not quick:
            measurements.append(_fresh_container(races["fast"], state))
        notes = [_left(races["fast"])]
    return measurements, notes


class _Start(Protocol):
    """Something that is started; `files` are all that the start may read."""

    @property
    def name(self) -> str: ...

    @property
    def files(self) -> tuple[Path, ...]: ...

    def first_png(self, environ: Mapping[str, str]) -> float:
        """Seconds."""


@dataclass(frozen=True, slots=True)
class _Script:
    files: tuple[Path, ...]
    field: Field
    entry: Entry

    @property
    def name(self) -> str:
        return self.entry.name

    def first_png(self, environ: Mapping[str, str]) -> float:
        photo, out = self.field.photos / SINGLE[1].name, self.field.out / "cold.png"
        started = time.perf_counter()
        with self.entry.start(self.field.logs, environ) as contender:
            contender.ask(photo=str(photo), out=str(out))
            return time.perf_counter() - started


@dataclass(frozen=True, slots=True)
class _Worker:
    files: tuple[Path, ...]
    field: Field
    service: Service
    emulators: Emulators

    @property
    def name(self) -> str:
        return self.service.name

    def first_png(self, environ: Mapping[str, str]) -> float:
        job = self.emulators.submit(self.field.photos / SINGLE[1].name, tenant=f"start-{time.monotonic_ns()}")
        started = time.perf_counter()
        with self.emulators.worker("gpu_worker", {**self.service.environ, **environ}) as worker:
            worker.do(job)
            return time.perf_counter() - started


def _inspyrenets(field: Field, emulators: Emulators) -> list[_Start]:
    """The peer, ours in every precision, and the service in the first of them."""
    theirs, ours = (*files_of(PEERS), *field.weights), (*files_of(OURS), *field.weights)
    scripts = [_Script(ours, field, entry) for entry in field.ours("fast")]
    service = _Worker(ours, field, field.services("fast")[0], emulators)
    return [_Script(theirs, field, field.stock("fast")), *scripts, service]


def _isnets(field: Field) -> list[_Start]:
    theirs, ours = (*files_of(PEERS), *field.weights), (*files_of(OURS), *field.weights)
    return [_Script(theirs, field, field.rembg()), *(_Script(ours, field, entry) for entry in field.ours("isnet"))]


def _tasks(
    race: Iterable[_Start],
    *,
    before: Callable[[_Start], object] = lambda _start: None,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> Tasks:
    def task(start: _Start) -> Callable[[], Figures]:
        def run() -> Figures:
            before(start)
            return {"first PNG": start.first_png(environ)}

        return run

    return {start.name: task(start) for start in race}


def _measured(what: str, rounds: int, tasks: Tasks) -> Measurement:
    figures = alternate(rounds, tasks, what)
    return Measurement(what=what, unit="s", peer=next(iter(tasks)), values=column(figures, "first PNG"))


def _fresh_container(race: Iterable[_Start], state: Path) -> Measurement:
    """Once, since it takes a minute. Numba keeps what it compiles in a folder, which a fresh container has empty."""
    tasks = _tasks(race, before=lambda start: evict(start.files), environ={"NUMBA_CACHE_DIR": str(state / "numba")})
    return _measured("fast, fresh container: evicted, and nothing compiled by numba", 1, tasks)


def _left(race: Sequence[_Start]) -> str:
    shares = []
    for start in (race[0], race[-1]):
        evict(start.files)
        shares.append(f"{100 * cached_share(start.files):.1f}% of what {start.name} may read")
    return f"Still in the page cache when evicted, because mapped by running processes: {' and '.join(shares)}."
