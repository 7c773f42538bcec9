"""How a contender talks to the benchmark: one JSON object a line, a request in, an answer out.

Only the standard library: every contender imports this, in any environment.

| request | answer |
|---|---|
| `{"photo": PATH, "out": PATH, "matte": PATH}` | `{"seconds": {STAGE: s, "total": s}}`, the cutout is in `out` |
| `{"listen": true}` | `{"port": N}`: `POST` a photo there, and its cutout comes back |

`matte` is optional: where the network's own output goes, (side, side) float32 in [0, 1], as a .npy file.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Cutter", "Stages", "answer"]


class Stages:
    """Seconds by stage of one photo, added up where a stage runs more than once."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


class Cutter(Protocol):
    def cut(self, photo: bytes, stages: Stages) -> bytes:
        """A photo's file -> its cutout as a PNG file."""

    def save_matte(self, path: Path) -> None:
        """Write the network's output of the last photo."""


def answer(load: Callable[[], Cutter]) -> None:
    """Load, then answer requests until the benchmark closes the pipe. What a library prints goes to the log."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    cutter = load()
    for line in sys.stdin:
        request = json.loads(line)
        reply = {"port": _listen(cutter)} if "listen" in request else {"seconds": _cut(cutter, **request)}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


def _cut(cutter: Cutter, photo: str, out: str, matte: str = "") -> dict[str, float]:
    stages = Stages()
    with stages.stage("total"):
        Path(out).write_bytes(cutter.cut(Path(photo).read_bytes(), stages))
    if matte:
        cutter.save_matte(Path(matte))
    return stages.seconds


def _listen(cutter: Cutter) -> int:
    from bench.contenders.listening import listen  # noqa: PLC0415  # a start to the first PNG needs no HTTP

    return listen(lambda photo: cutter.cut(photo, Stages()))
