"""One photo at a time through a process that is warm: seconds, memory, and how far the results are apart."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from bench.children import Contender
from bench.environments import OURS
from bench.measurement import Measurement, alternate, column
from bench.pictures import SINGLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from bench.field import Field
    from bench.measurement import Figures, Unit

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
    for model in field.models:
        rounds = (_QUICK_ROUNDS if quick else _ROUNDS)[model]
        measurements.extend(_Race(field, model).run(rounds))
    return measurements, [
        "Network: the same runs, timed inside. Memory: the process's peak so far, photos in growing order.",
        "With random weights nearly every pixel is soft, the worst case for foreground colours and PNG of everyone.",
        "Edge: mean difference of premultiplied colours over soft pixels to pymatting's for the same alpha, of 255.",
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

    def _tasks(self, contenders: Iterable[Contender], megapixels: int) -> dict[str, Callable[[], Figures]]:
        def task(contender: Contender) -> Callable[[], Figures]:
            files = {kind: str(path) for kind, path in self._files(contender.name, megapixels).items()}

            def run() -> Figures:
                seconds: Figures = contender.ask(**files)["seconds"]
                return seconds

            return run

        return {contender.name: task(contender) for contender in contenders}

    def _files(self, contender: str, megapixels: int) -> dict[str, Path]:
        stem = f"{self._model}-{megapixels}mp-{contender.replace(' ', '-')}"
        return {
            "photo": self._field.photos / SINGLE[megapixels].name,
            "out": self._field.out / f"{stem}.png",
            "matte": self._field.out / f"{stem}.npy",
        }

    def _judged(self, sizes: Iterable[int]) -> list[Measurement]:
        judge_log = self._field.logs / "judge.log"
        with Contender("judge", (OURS, "-m", "bench.contenders.judge"), {}, judge_log) as judge:
            return [
                measurement
                for megapixels in sizes
                if megapixels in _JUDGED
                for measurement in self._differences(judge, megapixels)
            ]

    def _differences(self, judge: Contender, megapixels: int) -> list[Measurement]:
        files = {entry.name: self._files(entry.name, megapixels) for entry in self._entries}
        theirs = files[self._peer]
        mattes, alphas = (
            {
                name: judge.ask(**{plural: [str(theirs[kind]), str(ours[kind])]})
                for name, ours in files.items()
                if name != self._peer
            }
            for kind, plural in (("matte", "mattes"), ("out", "alphas"))
        )
        edges = {
            name: [judge.ask(photo=str(each["photo"]), cutout=str(each["out"]))["edge"]] for name, each in files.items()
        }
        what = f"{self._model}, {megapixels} MP"
        return [
            self._measurement(f"{what}: matte, largest difference", "matte", _values(mattes, "largest")),
            self._measurement(f"{what}: matte, mean difference", "matte", _values(mattes, "mean")),
            self._measurement(f"{what}: alpha, mean difference", "level", _values(alphas, "mean")),
            self._measurement(f"{what}: edge", "level", edges),
        ]

    def _measurement(self, what: str, unit: Unit, values: dict[str, list[float]]) -> Measurement:
        return Measurement(what=what, unit=unit, peer=self._peer, values=values)


def _values(answers: Mapping[str, Figures], part: str) -> dict[str, list[float]]:
    return {name: [answer[part]] for name, answer in answers.items()}
