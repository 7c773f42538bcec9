"""All of this project in one script, which starts as the worker does.

Arguments: the weights' manifest, and the precision.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.contenders.lines import answer
from gpu_worker.collection import without_collection
from gpu_worker.heap import touch_heap

if TYPE_CHECKING:
    from bench.contenders.pieces import Cutout


def _load() -> Cutout:
    with without_collection():
        from bench.contenders.pieces import Cutout  # noqa: PLC0415  # most of a start's time

        return Cutout(*sys.argv[1:])  # type: ignore[arg-type]  # the engine checks the precision


if __name__ == "__main__":
    touch_heap()
    answer(_load)
