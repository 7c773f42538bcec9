"""The worker against its peers: transparent-background and rembg, in their own environment, in turns.

    python -m bench.worker [--quick] [--only cold single load] [--resume] [--out bench/results]

Makes what it needs at the first run: the peers' environment (.venv-stock, some 6 GB), photos, weights. Writes each
section as soon as it is done, then `worker.json` and `worker.md`. Exit code 1 where a figure is not what it must be.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bench import cold, load, single
from bench.environments import ensure_peers
from bench.field import WORK, Field
from bench.machine import describe
from bench.measurement import Section
from bench.report import Report

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["main"]

_SECTIONS: Final = {"cold": cold, "single": single, "load": load}


def _measured(module: ModuleType, field: Field, *, quick: bool) -> Section:
    print(module.TITLE, flush=True)
    started = time.monotonic()
    measurements, notes = module.measure(field, quick=quick)
    return Section(
        title=module.TITLE,
        quick=quick,
        at=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        took=time.monotonic() - started,
        notes=notes,
        measurements=measurements,
    )


def _read(path: Path) -> Section | None:
    return msgspec.json.decode(path.read_bytes(), type=Section) if path.exists() else None


def _write(path: Path, value: msgspec.Struct) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def main() -> int:
    """0 if every figure that is demanded was reached, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few photos, one round: does it run, not how fast")
    parser.add_argument("--only", nargs="+", choices=list(_SECTIONS), default=list(_SECTIONS), help="these sections")
    parser.add_argument("--resume", action="store_true", help="keep sections that an earlier run has finished")
    parser.add_argument("--out", type=Path, default=Path("bench/results"))
    options = parser.parse_args()
    folder: Path = options.out / "worker"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a start compiles nothing that an earlier one has, as at a user's
    ensure_peers()
    field = Field(WORK)
    field.prepare()
    machine = describe()
    sections = {}
    for name, module in _SECTIONS.items():
        path = folder / f"{name}.json"
        done = _read(path)
        if name in options.only and not (options.resume and done is not None and done.quick == options.quick):
            done = _measured(module, field, quick=options.quick)
            _write(path, done)
        if done is not None:
            sections[name] = done
    report = Report(machine=machine, sections=sections)
    _write(options.out / "worker.json", report)
    (options.out / "worker.md").write_text(report.markdown())
    print(report.markdown())
    return 0 if all(verdict.reached for verdict in report.verdicts()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
