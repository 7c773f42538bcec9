"""`python -m planner`: what each warming policy would have done with a shop's arrivals, side by side.

The arrivals are one of the patterns, or a file of your own: one RFC 3339 time a line, of each upload that the cache did
not know. Without an intent's likelihoods of your own, the visits around those uploads follow the default ones.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from planner.budget import Budget
from planner.patterns import PATTERNS, START, arrivals_from, visits
from planner.policy import Policy, Schedule
from planner.simulation import Outcome, simulate
from planner.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLUMNS: Final = (
    f"{'policy':<20}{'jobs':>7}{'cold':>7}{'waited s':>10}{'s a job':>9}{'wakes':>7}{'ext.':>6}"
    f"{'bill USD':>10}{'warming':>9}{'worth':>8}{'net':>8}"
)
_LEGEND: Final = """cold: jobs that waited for a start; warming: what it added to the bill; worth: of the seconds it saved;
net: worth - warming."""


class _Contender(NamedTuple):
    label: str
    policy: Policy
    listen: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 2 with a message for arguments that make no sense."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        start, days, uploads = _uploads(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    shoppers = visits(uploads, seed=options.seed)
    source = options.arrivals or options.pattern
    print(f"{source}: {len(uploads)} jobs in {days} days, {options.value} USD a second waited, {options.budget} USD a day")
    print(_COLUMNS)
    baseline: Outcome | None = None
    for contender in _contenders(options):
        outcome = simulate(
            shoppers,
            contender.policy,
            start=start,
            days=days,
            listen=contender.listen,
            on_day=lambda day, label=contender.label: _progress(label, day, days),
        )
        baseline = baseline or outcome
        print(_row(contender.label, outcome, baseline, options.value))
    print(_LEGEND)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m planner", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--pattern", choices=tuple(PATTERNS), default="office_hours")
    source.add_argument("--arrivals", type=Path, metavar="FILE", help="one RFC 3339 time a line")
    parser.add_argument("--days", type=int, default=28, help="of a pattern (default: 28)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--value", type=float, default=Policy().usd_per_second_waited, help="USD a second waited")
    parser.add_argument("--budget", type=_usd, default=Budget().daily_usd, help="USD a day for warming")
    parser.add_argument("--cold-start", type=float, default=Worker().cold_start_seconds, help="seconds")
    parser.add_argument("--zone", default=Schedule().zone, help="the shop's time zone")
    return parser


def _uploads(options: argparse.Namespace) -> tuple[datetime, int, list[datetime]]:
    """Start, days and the moments of uploads. Raises `ValueError` for a file that holds anything else, or nothing."""
    if options.arrivals is None:
        return START, options.days, arrivals_from(options.pattern, options.days, seed=options.seed)
    uploads = sorted(datetime.fromisoformat(line.strip()) for line in options.arrivals.read_text().splitlines() if line)
    if not uploads or any(moment.tzinfo is None for moment in uploads):
        raise ValueError(f"{options.arrivals}: expected times with a zone, one a line")
    start = uploads[0].replace(minute=0, second=0, microsecond=0)
    return start, (uploads[-1] - start) // timedelta(days=1) + 1, uploads


def _contenders(options: argparse.Namespace) -> list[_Contender]:
    economic = Policy(
        usd_per_second_waited=options.value,
        worker=Worker(cold_start_seconds=options.cold_start),
        budget=Budget(daily_usd=options.budget),
        schedule=Schedule(zone=options.zone),
    )
    unlimited = Budget(daily_usd=Decimal(1000))
    return [
        _Contender("off", _named(economic, "off"), listen=False),
        _Contender("schedule", _named(economic, "schedule"), listen=False),
    ]


def _usd(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0:
        raise argparse.ArgumentTypeError(f"an amount in USD, got {text!r}")
    return value


def _progress(label: str, day: int, days: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{label}: day {day} of {days} ", end="" if day < days else "\r", file=sys.stderr, flush=True)


def _row(label: str, outcome: Outcome, baseline: Outcome, value: float) -> str:
    warming = outcome.bill_usd - baseline.bill_usd
    worth = value * (baseline.seconds_waited - outcome.seconds_waited)
    each = outcome.seconds_waited / outcome.jobs if outcome.jobs else 0.0
    return (
        f"{label:<20}{outcome.jobs:>7}{outcome.cold_starts:>7}{outcome.seconds_waited:>10.0f}{each:>9.2f}"
        f"{outcome.wakes:>7}{outcome.extensions:>6}{outcome.bill_usd:>10.2f}{warming:>9.2f}{worth:>8.2f}"
        f"{worth - warming:>8.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
