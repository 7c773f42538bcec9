"""The report's charts as SVG, drawn for a phone's width and coloured by the page's style sheet."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import matplotlib as mpl
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from local.cost_views import recipe_label

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from local.cost_views import CostFigures, Rows

    Draw = Callable[[Axes, tuple["Series", ...], Rows], None]

__all__ = ["Chart", "Series", "charts"]

_INCHES: Final = (3.9, 2.5)
_BAR, _LABEL = 0.34, 0.19
"""Of the space of a bar: its height, and where above its middle its label begins."""
_INK, _GRID = "#010101", "#020202"
_COLORS: Final = ("#010203", "#020304", "#030405", "#040506", "#050607")
_VARIABLES: Final = {_INK: "var(--muted)", _GRID: "var(--grid)"} | {
    color: f"var(--series-{number})" for number, color in enumerate(_COLORS, start=1)
}
"""Colours that nothing else has, for the style sheet's, which differ by day and night."""
_STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "lines.markersize": 3.5,
}
_MOST_RECIPES: Final = 8
_HOURS_SHOWN: Final = timedelta(hours=72)
"""More of them would be a thicket at a phone's width."""
_GROUPS_SHOWN, _LEAST_GROUPS = 14, 7
_HOUR: Final = timedelta(hours=1)
_DECADE: Final = 10


class Series(NamedTuple):
    """`key` is the column of the view, `color` from 1 on that of the style sheet."""

    key: str
    label: str
    color: int


class Chart(NamedTuple):
    """`svg` is None where there is nothing to draw. `rows` are the numbers behind it, in these `columns`."""

    title: str
    caption: str
    series: tuple[Series, ...]
    svg: str | None
    columns: tuple[str, ...]
    rows: Rows


_KINDS: Final = (
    Series("gpu_usd", "GPU jobs", 1),
    Series("cpu_usd", "CPU jobs", 2),
    Series("function_usd", "functions", 3),
    Series("idle_usd", "idle", 4),
    Series("warmup_usd", "warm-ups", 5),
)
_PRICES: Final = (Series("usd_per_image", "with idle time", 4), Series("usd_per_image_of_jobs", "jobs alone", 1))
_ANSWERS: Final = (Series("hits", "hit", 3), Series("mattes", "matte", 2), Series("misses", "miss", 1))
_RATES: Final = (Series("hit_rate", "hit", 3), Series("rate_without_gpu", "hit or matte: no GPU", 2))
_LATENCIES: Final = (Series("p50_seconds", "p50", 3), Series("p95_seconds", "p95", 2), Series("p99_seconds", "p99", 1))
_COLD: Final = (Series("cold_start_share", "waited for a start", 1),)
_WARMING: Final = (
    Series("warm_ups", "warm-ups", 5),
    Series("served_warm", "served warm by one", 3),
    Series("served_cold", "met no worker", 1),
)
_TENANTS: Final = (Series("usd", "USD", 1),)


def charts(figures: CostFigures) -> list[Chart]:
    """All of them, in the report's order."""
    hours = [row for row in figures.by_hour if row["hour"] > figures.until - _HOURS_SHOWN]
    warming_usd = sum(row["usd"] for row in figures.warming)
    recipes = [_in_words(row) for row in figures.recipes]
    return [
        _chart("Cost by day", "USD at list prices, by what it was spent on", _KINDS, figures.by_day, _stacked),
        _chart("Cost of an image", "USD a photo, by day", _PRICES, figures.by_day, _lines(_log_usd)),
        _chart("Cache answers", "Results that were asked for, by day", _ANSWERS, figures.cache, _stacked),
        _chart("Hit rate", "Share of these results, by day", _RATES, figures.cache, _lines(_share)),
        _chart("Latency", "From request to result, the last 72 hours", _LATENCIES, hours, _lines(_log_seconds)),
        _chart("Cold starts", "The worker's jobs that waited for its start, the last 72 hours", _COLD, hours, _hourly),
        _chart(
            "Return of warming",
            f"{warming_usd:.2f} USD in all; the last {_GROUPS_SHOWN} days",
            _WARMING,
            figures.warming[-_GROUPS_SHOWN:],
            _grouped,
        ),
        _chart("Tenants and recipes", f"USD, the {_MOST_RECIPES} dearest", _TENANTS, recipes, _dearest),
    ]


def _in_words(row: dict[str, Any]) -> dict[str, Any]:
    """With what the recipe is, instead of its digest and JSON."""
    said = row | {"recipe": recipe_label(row["recipe_json"])}
    return {name: value for name, value in said.items() if name != "recipe_json"}


def _chart(
    title: str,
    caption: str,
    series: tuple[Series, ...],
    rows: Rows,
    draw: Draw,
) -> Chart:
    columns = tuple(rows[0]) if rows else ()
    svg = _svg(title, series, rows, draw) if rows else None
    return Chart(title, caption, series, svg, columns, rows)


def _svg(title: str, series: tuple[Series, ...], rows: Rows, draw: Draw) -> str:
    with mpl.rc_context(_STYLE | {"svg.hashsalt": title}):
        figure = Figure(figsize=_INCHES, layout="constrained")
        draw(figure.subplots(), series, rows)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _for_a_page(text.getvalue(), title)


def _for_a_page(svg: str, title: str) -> str:
    """The `svg` element alone, as wide as its place, its colours those of the style sheet."""
    element = svg[svg.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", element, count=1)
    element = re.sub(r'<svg ([^>]*?)height="[^"]*"', rf'<svg role="img" aria-label="{title}" \1', element, count=1)
    for color, variable in _VARIABLES.items():
        element = element.replace(color, variable)
    return element


def _times(rows: Rows) -> list[Any]:
    return [row["day"] if "day" in row else row["hour"] for row in rows]


def _values(rows: Rows, key: str) -> list[float]:
    return [math.nan if row[key] is None else float(row[key]) for row in rows]


def _color(series: Series) -> str:
    return _COLORS[series.color - 1]


def _stacked(axes: Axes, series: tuple[Series, ...], rows: Rows) -> None:
    bottom = [0.0] * len(rows)
    for one in series:
        values = _values(rows, one.key)
        axes.bar(_times(rows), values, bottom=bottom, width=0.8, color=_color(one), linewidth=0)
        bottom = [below + value for below, value in zip(bottom, values, strict=True)]
    _bars(axes)
    _dates(axes)


def _hourly(axes: Axes, series: tuple[Series, ...], rows: Rows) -> None:
    for one in series:
        axes.bar(_times(rows), _values(rows, one.key), width=0.8 / 24, color=_color(one), linewidth=0)
    _bars(axes)
    _dates(axes)
    _share(axes)


def _grouped(axes: Axes, series: tuple[Series, ...], rows: Rows) -> None:
    width = 0.8 / len(series)
    for number, one in enumerate(series):
        places = [place + (number - (len(series) - 1) / 2) * width for place in range(len(rows))]
        axes.bar(places, _values(rows, one.key), width=width, color=_color(one), linewidth=0)
    axes.set_xlim(min(-0.6, len(rows) - _LEAST_GROUPS - 0.4), len(rows) - 0.4)
    shown = range(0, len(rows), max(1, len(rows) // 4))
    axes.set_xticks(list(shown), [f"{rows[place]['day']:%-d %b}" for place in shown])
    _bars(axes)


def _bars(axes: Axes) -> None:
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _lines(scale: Callable[[Axes], None]) -> Draw:
    def draw(axes: Axes, series: tuple[Series, ...], rows: Rows) -> None:
        for one in series:
            for part in _unbroken(rows):
                axes.plot(_times(part), _values(part, one.key), color=_color(one), marker="o")
        _dates(axes)
        scale(axes)

    return draw


def _unbroken(rows: Rows) -> list[Rows]:
    """Runs of rows without an hour, or a day, missing between two."""
    parts: list[Rows] = []
    for row, time in zip(rows, _times(rows), strict=True):
        step = timedelta(days=1) if "day" in row else _HOUR
        if parts and time - _times(parts[-1])[-1] == step:
            parts[-1].append(row)
        else:
            parts.append([row])
    return parts


def _share(axes: Axes) -> None:
    axes.set_ylim(-0.03 if axes.lines else 0, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _log_usd(axes: Axes) -> None:
    _log(axes, lambda value, _: f"{value:f}".rstrip("0").rstrip("."))


def _log_seconds(axes: Axes) -> None:
    _log(axes, lambda value, _: f"{value:g} s")


def _log(axes: Axes, label: Callable[[float, int | None], str]) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1,), numticks=7))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(label))
    low, high = axes.get_ylim()
    if high / low < _DECADE:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=7))


def _dates(axes: Axes) -> None:
    locator = AutoDateLocator(minticks=2, maxticks=5)
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(
        locator,
        formats=["%Y", "%b", "%-d %b", "%H:%M", "%H:%M", "%H:%M"],
        zero_formats=["", "%b", "%-d %b", "%-d %b", "%H:%M", "%H:%M"],
        show_offset=False,
    )
    axes.xaxis.set_major_formatter(formatter)
    axes.margins(x=0.02)


def _dearest(axes: Axes, series: tuple[Series, ...], rows: Rows) -> None:
    shown = rows[:_MOST_RECIPES][::-1]
    labels = [f"{row['tenant']}: {row['recipe']}" for row in shown]
    axes.barh(range(len(shown)), _values(shown, series[0].key), height=_BAR, color=_color(series[0]))
    axes.set_yticks([])
    for place, label in enumerate(labels):
        axes.annotate(label, (0, place + _LABEL), va="bottom", fontsize=8)
    axes.set_ylim(-0.5, len(shown))
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(5))
