"""One photo at a time through a process that is warm: seconds, memory, and how far the results are apart."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from bench.children import Contender
from bench.environments import OURS
from bench.measurement import Measurement, alternate, column
from bench.pictures import SINGLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bench.field import Field
    from bench.measurement import Figures

__all__ = ["TITLE", "measure"]

TITLE: Final = "One photo, file to PNG"
_ROUNDS: Final = {
    "fast": {1: 5, 12: 5, 48: 1},
    "base": {1: 2, 12: 3, 48: 1},
    "isnet": {1: 3, 12: 3, 48: 1},
}
"""By model, then megapixels: more where noise is larger than the patience it costs."""
_QUICK_ROUNDS: Final = {"fast": {1: 2, 12: 1}, "base": {1: 1}, "isnet": {1: 1}}
_SIDES: Final = {"fast": 384, "base": 1024, "isnet": 1024}
_JUDGED: Final = (1, 12)
"""Megapixels. The reference's memory grows with the pixels, and the findings do not."""


def measure(field: Field, *, quick: bool) -> tuple[list[Measurement], list[str]]:
    """Measurements, and notes on them."""
    measurements = []
    for model, rounds in (_QUICK_ROUNDS if quick else _ROUNDS).items():
        measurements.extend(_Race(field, model).run(rounds))
    return measurements, [
        "Network: the same runs, timed inside. Memory: the process's peak so far, photos in growing order.",
        "With random weights nearly every pixel is soft, the worst case for foreground colours and PNG of everyone.",
        "Edge: mean difference of premultiplied colours over soft pixels, of 255, to pymatting's estimate for the same "
        "alpha.",
    ]


class _Race:
    """All contenders of one model, warm."""

    def __init__(self, field: Field, model: str) -> None:
        self._field = field
        self._model = model
        self._entries = [field.rembg() if model == "isnet" else field.stock(model), *field.ours(model)]
        self._peer = self._entries[0].name

    def run(self, rounds: Mapping[int, int]) -> list[Measurement]:
        """`rounds` by megapixels."""
        networks: dict[str, list[float]] = {}
        measurements = []
        with ExitStack() as exits:
            contenders = [exits.enter_context(entry.start(self._field.logs)) for entry in self._entries]
            alternate(1, self._tasks(contenders, min(rounds)), f"{self._model}, not counted")
            for megapixels, count in rounds.items():
                what = f"{self._model}, {megapixels} MP"
                figures = alternate(count, self._tasks(contenders, megapixels), what)
                measurements.append(self._measurement(what, "s", column(figures, "total")))
                peaks = {contender.name: [float(contender.peak_bytes)] for contender in contenders}
                measurements.append(self._measurement(f"{what}: peak memory", "bytes", peaks))
                for name, seconds in column(figures, "network").items():
                    networks.setdefault(name, []).extend(seconds)
        what = f"network, {_SIDES[self._model]} px ({self._model})"
        return [self._measurement(what, "s", networks), *measurements, *self._judged(list(rounds))]
