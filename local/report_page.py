"""The report as one HTML file that needs nothing else: no server, no script, no font."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from local.report_charts import charts

if TYPE_CHECKING:
    from local.cost_views import CostFigures

__all__ = ["Amount", "cell", "money", "page", "tiles"]


class Amount(NamedTuple):
    amount: str
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.amount} {self.unit}".rstrip()


_NONE: Final = Amount("-")


def page(figures: CostFigures, *, source: str, read_at: datetime) -> str:
    """`source` says where the figures are from: project and dataset."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["cell"] = cell
    return environment.get_template("report.html.j2").render(
        period=_period(figures.since.date(), figures.until.date()),
        source=source,
        read_at=f"{read_at:%-d %B %Y at %H:%M}",
        tiles=tiles(figures),
        charts=charts(figures),
    )


def _period(first: date, last: date) -> str:
    return f"{first:%-d %B} to {last:%-d %B %Y}" if first < last else f"{last:%-d %B %Y}"


def tiles(figures: CostFigures) -> list[tuple[str, Amount]]:
    """The figures of the whole time, by name."""
    return [
        ("Cost", _usd(figures.usd)),
        ("Images", Amount(f"{figures.images:,}")),
        ("Cost of an image", _usd(figures.usd_per_image)),
        ("Cache hits", _share(figures.hit_rate)),
        ("Cold starts", _share(figures.cold_start_share)),
        ("Latency, p50", _seconds(figures.latency["p50_seconds"])),
        ("Latency, p95", _seconds(figures.latency["p95_seconds"])),
    ]


def _usd(amount: Decimal | None) -> Amount:
    return _NONE if amount is None else Amount(money(amount), "USD")


def _share(part: float | None) -> Amount:
    return _NONE if part is None else Amount(f"{100 * part:.1f}", "%")


def _seconds(value: float | None) -> Amount:
    return _NONE if value is None else Amount(f"{value:.2f}", "s")


def money(amount: Decimal) -> str:
    """Cents above a dollar, three digits below it, as far as a billionth."""
    if amount == 0:
        return "0"
    if abs(amount) >= 1:
        return f"{amount:,.2f}"
    return f"{amount:.{min(9, 2 - amount.adjusted())}f}"


def cell(value: object) -> str:
    """A value of a view, for a table."""
    match value:
        case None:
            return "-"
        case datetime():
            return f"{value:%d %b %H:%M}"
        case date():
            return f"{value:%d %b}"
        case Decimal():
            return money(value)
        case float():
            return f"{value:.3f}"
    return str(value)
