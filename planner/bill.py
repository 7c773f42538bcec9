"""`python -m planner.bill`: what a month costs at so many photos a day, as tables in Markdown.

The assumptions are the fields of `planner.monthly.Shop`; docs/operations.md has the tables, kept current by a test.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from planner.monthly import Month, Shop

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["IMAGES", "by_network", "by_product", "by_step", "main"]

IMAGES: Final = (0, 100, 10_000, 1_000_000)
PRECISIONS: Final = {"f32": 2.0, "bf16": 1.2}
"""Seconds of a busy L4 an image of the base network, assumed: bfloat16 takes as much less as it does on a CPU."""


def by_product(shop: Shop, images: Sequence[int]) -> str:
    """USD a month: a column for each number of photos a day, a row for each product."""
    months = [Month.of(msgspec.structs.replace(shop, images_a_day=count)) for count in images]
    rows = [["USD a month, photos a day:", *(f"{count:,}" for count in images)], ["---", *("---:" for _ in images)]]
    rows += [
        [lines[0].product, *(_usd(line.usd) for line in lines)]
        for lines in zip(*(month.lines for month in months), strict=True)
    ]
    rows.append(["**together**", *(f"**{_usd(month.usd)}**" for month in months)])
    rows.append(["a photo", *(_small(month.usd_an_image) for month in months)])
    rows.append(["starts of a worker a day", *(f"{month.load.starts:.1f}" for month in months)])
    rows.append(["workers at once", *(f"{month.load.instances:.1f}" for month in months)])
    return _table(rows)


def by_network(shop: Shop, images: Sequence[int]) -> str:
    """USD a month and USD a photo, by precision and share of photos that the cache answers."""
    images = [count for count in images if count]
    rows = [["precision", "answered by the cache", *(f"{count:,} photos a day" for count in images)]]
    rows.append(["---", "---", *("---:" for _ in images)])
    for precision, seconds in PRECISIONS.items():
        for hit_rate in (0.0, 0.5, 0.9):
            changed = msgspec.structs.replace(shop, hit_rate=hit_rate, seconds_an_image=seconds)
            months = [Month.of(msgspec.structs.replace(changed, images_a_day=count)) for count in images]
            told = [f"{_usd(month.usd)}, {_small(month.usd_an_image)}" for month in months]
            rows.append([f"{precision}, {seconds:g} s", f"{hit_rate:.0%}", *told])
    return _table(rows)


def by_step(shop: Shop, images: Sequence[int]) -> str:
    """The worker's day, as the arithmetic of `planner.monthly` goes: seconds, instances, USD a month."""
    rows = [["photos a day", "starts", "awake, s", "workers", "billed, s", "USD a month"], ["---:"] * 6]
    for count in images:
        month = Month.of(msgspec.structs.replace(shop, images_a_day=count))
        load = month.load
        seconds = (f"{load.awake_seconds:,.0f}", f"{load.instances:.1f}", f"{load.billed_seconds:,.0f}")
        rows.append([f"{count:,}", f"{load.starts:.1f}", *seconds, _usd(month.worker_usd)])
    return _table(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """0; argparse exits with 2 and a message for arguments that make no sense."""
    usual = Shop(images_a_day=0)
    parser = argparse.ArgumentParser(
        prog="python -m planner.bill", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, nargs="+", default=IMAGES, metavar="N", help="photos a day")
    parser.add_argument("--hit-rate", type=float, default=usual.hit_rate, help="answered by the cache, 0 to 1")
    parser.add_argument("--seconds", type=float, default=usual.seconds_an_image, help="of a busy worker an image")
    parser.add_argument("--open-hours", type=float, default=usual.open_hours, help="of the day in which photos come")
    parser.add_argument(
        "--intents", type=float, default=usual.intents_an_image, help="told of by the page for each photo"
    )
    parser.add_argument("--cdn", action="store_true", help="results over the CDN")
    options = parser.parse_args(arguments)
    given = {
        "hit_rate": options.hit_rate,
        "seconds_an_image": options.seconds,
        "open_hours": options.open_hours,
        "intents_an_image": options.intents,
        "cdn": options.cdn,
    }
    try:
        shops = [msgspec.convert({"images_a_day": count, **given}, Shop) for count in options.images]
    except msgspec.ValidationError as error:
        parser.error(str(error))
    tables = [table(shops[0], options.images) for table in (by_product, by_network, by_step)]
    sys.stdout.write("\n\n".join(tables) + "\n")
    return 0


def _usd(amount: float) -> str:
    return f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"


def _small(amount: float | None) -> str:
    return "" if amount is None else f"{amount:.4f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
