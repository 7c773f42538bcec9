"""A run as JSON and as Markdown: every figure, the ratios, and whether they are what they must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from bench.machine import Machine
from bench.measurement import Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.measurement import Measurement, Unit

__all__ = ["Report", "Verdict"]

_INTRODUCTION: Final = """\
Medians; in brackets the median of the ratios of runs that followed each other: how many times faster than the peer, or
which part of its memory. Everyone runs in an interpreter of its own, in turns (A B A B), each at its defaults and on
the same machine.

The weights of InSPyReNet are random here, calibrated on photos and the same for everyone: speed, memory and equivalence
can be judged with them, mattes can't. ISNet's are real, and the same for rembg and here."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`sections` in the order of the run."""

    machine: Machine
    sections: dict[str, Section]

    def markdown(self) -> str:
        lines = ["# Measured against its peers", "", *self.machine.lines(), "", _INTRODUCTION, ""]
        lines += ["## Demanded", "", *_verdict_table(self.verdicts()), ""]
        for section in self.sections.values():
            quick = ", quick" if section.quick else ""
            lines += [f"## {section.title}", "", f"{section.at}, {section.took:.0f} s{quick}", ""]
            for peer in dict.fromkeys(measurement.peer for measurement in section.measurements):
                lines += [*_table([each for each in section.measurements if each.peer == peer]), ""]
            lines += [*(f"- {note}" for note in section.notes), ""]
        return "\n".join(lines)

    def verdicts(self) -> list[Verdict]:
        """On what was demanded and measured; what was not measured has none."""
        found = {each.what: each for section in self.sections.values() for each in section.measurements}
        return [verdict for demand in _DEMANDS if (verdict := demand.judge(found.get(demand.what))) is not None]


@dataclass(frozen=True, slots=True)
class Verdict:
    demand: Demand
    value: float

    @property
    def reached(self) -> bool:
        demand = self.demand
        return self.value >= demand.bound if demand.sense == "at least" else self.value <= demand.bound


@dataclass(frozen=True, slots=True)
class Demand:
    """A bound on the ratio to the peer, or on the value where there is no ratio."""

    what: str
    contender: str
    sense: Literal["at least", "at most"]
    bound: float

    def judge(self, measurement: Measurement | None) -> Verdict | None:
        if measurement is None:
            return None
        value = measurement.ratio(self.contender)
        if value is None:
            value = measurement.median(self.contender)
        return None if value is None else Verdict(self, value)


_DEMANDS: Final = (
    Demand("network, 1024 px (base)", "cutout float32", "at least", 2.0),
    Demand("network, 1024 px (base)", "cutout bfloat16", "at least", 4.0),
    Demand("base, 12 MP", "cutout float32", "at least", 2.5),
    Demand("base, 12 MP", "cutout bfloat16", "at least", 4.5),
    Demand("fast, 12 MP", "cutout bfloat16", "at least", 3.5),
    Demand("fast, page cache evicted", "cutout float32", "at least", 4.0),
    Demand("base, 12 MP: peak memory", "cutout float32", "at most", 0.65),
    Demand("fast, 1 MP: matte, largest difference", "cutout float32", "at most", 1e-4),
    Demand("base, 1 MP: matte, largest difference", "cutout float32", "at most", 6e-4),
)


def _verdict_table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield "| | contender | demanded | measured | |"
    yield "|---|---|---|---|---|"
    for verdict in verdicts:
        demand = verdict.demand
        bound, value = (f"{number:.3g}" for number in (demand.bound, verdict.value))
        outcome = "reached" if verdict.reached else "**missed**"
        yield f"| {demand.what} | {demand.contender} | {demand.sense} {bound} | {value} | {outcome} |"


def _table(measurements: Sequence[Measurement]) -> Iterator[str]:
    """One row a measurement, one column a contender."""
    contenders = list(dict.fromkeys(name for measurement in measurements for name in measurement.values))
    yield f"| | {' | '.join(contenders)} |"
    yield "|---" + "|--:" * len(contenders) + "|"
    for measurement in measurements:
        yield f"| {measurement.what} | {' | '.join(_cell(measurement, name) for name in contenders)} |"


def _cell(measurement: Measurement, contender: str) -> str:
    value, ratio = measurement.median(contender), measurement.ratio(contender)
    if value is None:
        return ""
    shown = _shown(value, measurement.unit)
    return shown if ratio is None else f"{shown} ({ratio:.2f}x)"


def _shown(value: float, unit: Unit) -> str:
    match unit:
        case "s":
            return f"{value:.2f} s"
        case "bytes":
            return f"{value / 2**30:.2f} GiB"
        case "matte":
            return f"{value:.1e}"
        case "level":
            return f"{value:.2f}"
