"""Memory stays flat: 500 mixed photos, 0.3 to 48 megapixels, through the worker's own process.

`python -m bench.memory` runs the worker with a network that takes no time, on emulated storage and Pub/Sub, with the
settings of its process that the container and `local/` give it. Those keep what was needed once, so the first photos
and the last are the largest, as many at once as the worker works on: had anything been kept, the last would need more.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bench.field import WORK, Field
from bench.pictures import MEMORY
from bench.service import CONCURRENCY, Emulators
from local.worker_process import WORKER_PROCESS

if TYPE_CHECKING:
    from bench.pictures import Picture
    from bench.service import Worker

__all__ = ["main"]

_GROUP: Final = 10
"""Photos between two looks at the memory, which is looked at while nothing is in flight."""
_BASE: Final = 50
_ALLOWED_GROWTH: Final = 1.10
_PHOTOS: Final = 500
_QUICK: Final = 100


class MemoryReport(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes. `resident` after every tenth photo; `growth` is the last of them by that after the first 50 photos."""

    at: str
    photos: int
    megapixels: float
    seconds: float
    resident: list[int]
    peak: int
    growth: float


def pictures(count: int) -> list[Picture]:
    """All sizes in equal numbers, in an order that is random and always the same, between some of the largest."""
    largest = max(MEMORY, key=lambda picture: picture.megapixels)
    order = random.Random(7)  # noqa: S311  # an order of photos
    mixed = chain.from_iterable(order.sample(MEMORY, len(MEMORY)) for _ in repeat(None))
    return [largest] * CONCURRENCY + list(islice(mixed, count - 2 * CONCURRENCY)) + [largest] * CONCURRENCY


def measure(field: Field, emulators: Emulators, worker: Worker, count: int) -> MemoryReport:
    chosen = pictures(count)
    resident: list[int] = []
    started = time.monotonic()

    def one(numbered: tuple[int, Picture]) -> None:
        number, picture = numbered
        job = emulators.submit(field.photos / picture.name, f"photo-{number}")
        worker.do(job)
        emulators.forget(job)

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        for first in range(0, count, _GROUP):
            list(pool.map(one, enumerate(chosen[first : first + _GROUP], first)))
            resident.append(worker.resident_bytes)
            print(f"  {len(resident) * _GROUP:4} of {count}: {resident[-1] / 2**20:.0f} MiB", flush=True)
    base = resident[_BASE // _GROUP - 1]
    return MemoryReport(
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        photos=count,
        megapixels=sum(picture.megapixels for picture in chosen),
        seconds=time.monotonic() - started,
        resident=resident,
        peak=worker.peak_bytes,
        growth=resident[-1] / base,
    )


def main() -> int:
    """0 if memory ended within 10% of what it was after the first 50 photos, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK} photos instead of {_PHOTOS}")
    parser.add_argument("--out", type=Path, default=Path("bench/results/memory.json"))
    options = parser.parse_args()
    field = Field(WORK)
    field.make_photos()
    with (
        tempfile.TemporaryDirectory() as state,
        Emulators(Path(state)) as emulators,
        emulators.worker("local.instant_worker", WORKER_PROCESS) as worker,
    ):
        report = measure(field, emulators, worker, _QUICK if options.quick else _PHOTOS)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    within = report.growth <= _ALLOWED_GROWTH
    print(
        f"memory: {report.growth:.3f} times that after the first {_BASE} photos; at most {_ALLOWED_GROWTH} is allowed"
    )
    return 0 if within else 1


if __name__ == "__main__":
    raise SystemExit(main())
