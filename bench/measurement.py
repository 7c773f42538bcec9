"""Figures of several contenders that were taken in turns, and what they say about each other."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Figures", "Measurement", "Section", "Unit", "alternate", "column"]

Unit = Literal["s", "bytes", "matte", "level"]
"""Of `matte` differences the whole range is 1, of `level` differences 255."""

Figures = dict[str, float]


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One thing, measured at every contender: `values[NAME]` in the order of the rounds.

    `peer` names the contender that the others are compared with, if they are.
    """

    what: str
    unit: Unit
    peer: str
    values: dict[str, list[float]]

    def median(self, contender: str) -> float | None:
        values = self.values.get(contender)
        return statistics.median(values) if values else None

    def ratio(self, contender: str) -> float | None:
        """The median of the ratios of values of the same round: speed-up for seconds, share of the peer's for bytes.

        None for the peer itself, for differences, and where one of the two has no values.
        """
        theirs, ours = self.values.get(self.peer), self.values.get(contender)
        if not theirs or not ours or contender == self.peer or self.unit not in {"s", "bytes"}:
            return None
        pairs = list(zip(theirs, ours, strict=True))
        return statistics.median(peer / own if self.unit == "s" else own / peer for peer, own in pairs)


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a run. `took` is its whole duration in seconds, `at` when it ended (UTC)."""

    title: str
    quick: bool
    at: str
    took: float
    notes: list[str]
    measurements: list[Measurement]


def alternate(rounds: int, tasks: Mapping[str, Callable[[], Figures]], label: str) -> dict[str, list[Figures]]:
    """Let every contender do its task, one after the other, so many times; A B A B, so that drift hits all alike."""
    figures: dict[str, list[Figures]] = {name: [] for name in tasks}
    for number in range(1, rounds + 1):
        for name, task in tasks.items():
            figures[name].append(task())
            shown = ", ".join(f"{part} {value:.2f} s" for part, value in figures[name][-1].items())
            print(f"  {label}, round {number} of {rounds}: {name}: {shown}", flush=True)
    return figures


def column(figures: Mapping[str, Sequence[Figures]], part: str) -> dict[str, list[float]]:
    """One part of what `alternate` gave, by contender."""
    return {name: [each[part] for each in rounds] for name, rounds in figures.items()}
