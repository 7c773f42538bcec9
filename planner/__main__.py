"""`python -m planner`: what each warming policy would have made of a shop's arrivals, side by side.

The arrivals are one of the patterns, or a file: one RFC 3339 time a line, of each upload that the cache did not know.
Around each upload stands the visit it ended, and there are visits without one, as the likelihoods of the stages say.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from planner.budget import Budget
from planner.patterns import PATTERNS, START, arrivals_from, visits
from planner.policy import Policy, Schedule
from planner.simulation import Outcome, simulate
from planner.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

_AMPLE: Final = Budget(daily_usd=Decimal(1000))
_COLUMNS: Final = (
    f"{'policy':<22}{'cold':>6}{'waited s':>10}{'s a job':>9}{'wakes':>7}{'ext.':>6}"
    f"{'bill USD':>10}{'warming':>9}{'worth':>9}{'net':>9}"
)
_LEGEND: Final = """cold: jobs that waited for a start; warming: USD that it added to the bill
worth: USD that the seconds it saved are worth; net: worth - warming"""


class _Contender(NamedTuple):
    label: str
    policy: Policy
    listen: bool


class _Source(NamedTuple):
    name: str
    start: datetime
    days: int
    uploads: list[datetime]


def main(arguments: Sequence[str] | None = None) -> int:
    """0; argparse exits with 2 and a message for arguments that make no sense."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        source = _source(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    shoppers = visits(source.uploads, seed=options.seed)
    _say(
        f"{source.name}: {len(source.uploads)} jobs in {source.days} days, "
        f"{options.value} USD a second waited, {options.budget} USD a day"
    )
    _say(_COLUMNS)
    baseline: Outcome | None = None
    for contender in _contenders(options):
        outcome = simulate(
            shoppers,
            contender.policy,
            start=source.start,
            days=source.days,
            listen=contender.listen,
            on_day=partial(_progress, contender.label, source.days),
        )
        baseline = baseline or outcome
        _say(_row(contender.label, outcome, baseline, options.value))
    _say(_LEGEND)
    return 0


def _parser() -> argparse.ArgumentParser:
    usual = Policy()
    parser = argparse.ArgumentParser(
        prog="python -m planner", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--pattern", choices=tuple(PATTERNS), default="office_hours")
    source.add_argument("--arrivals", type=Path, metavar="FILE", help="one RFC 3339 time a line")
    parser.add_argument("--days", type=_count, default=28, help="of a pattern (default: 28)")
    parser.add_argument("--seed", type=int, default=1, help="of the pattern and the visits (default: 1)")
    parser.add_argument("--value", type=_amount, default=usual.usd_per_second_waited, help="USD of a second waited")
    parser.add_argument("--budget", type=_usd, default=usual.budget.daily_usd, help="USD a day for warming")
    parser.add_argument("--cold-start", type=_amount, default=usual.worker.cold_start_seconds, help="seconds")
    parser.add_argument("--zone", default=usual.schedule.zone, help="the shop's time zone")
    return parser


def _source(options: argparse.Namespace) -> _Source:
    """Raises `ValueError` for a file that holds anything but times with a zone, or nothing."""
    if options.arrivals is None:
        uploads = arrivals_from(options.pattern, options.days, seed=options.seed)
        return _Source(options.pattern, START, options.days, uploads)
    lines = options.arrivals.read_text().split()
    uploads = sorted(datetime.fromisoformat(line) for line in lines)
    if not uploads or any(moment.tzinfo is None for moment in uploads):
        raise ValueError(f"{options.arrivals}: expected times with a zone, one a line")
    start = uploads[0].replace(minute=0, second=0, microsecond=0)
    return _Source(str(options.arrivals), start, (uploads[-1] - start) // timedelta(days=1) + 1, uploads)


def _contenders(options: argparse.Namespace) -> list[_Contender]:
    """`off` first: the others are compared with it."""
    economic = Policy(
        usd_per_second_waited=options.value,
        worker=Worker(cold_start_seconds=options.cold_start),
        budget=Budget(daily_usd=options.budget),
        schedule=Schedule(zone=options.zone),
    )
    schedule = msgspec.structs.replace(economic, name="schedule")
    return [
        _Contender("off", msgspec.structs.replace(economic, name="off"), listen=False),
        _Contender("schedule", schedule, listen=False),
        _Contender("schedule, no limit", msgspec.structs.replace(schedule, budget=_AMPLE), listen=False),
        _Contender("economic, no intents", economic, listen=False),
        _Contender("economic", economic, listen=True),
    ]


def _row(label: str, outcome: Outcome, baseline: Outcome, value: float) -> str:
    warming = outcome.bill_usd - baseline.bill_usd
    worth = value * (baseline.seconds_waited - outcome.seconds_waited)
    each = outcome.seconds_waited / outcome.jobs if outcome.jobs else 0.0
    return (
        f"{label:<22}{outcome.cold_starts:>6}{outcome.seconds_waited:>10.0f}{each:>9.2f}"
        f"{outcome.wakes:>7}{outcome.extensions:>6}{outcome.bill_usd:>10.2f}{warming:>9.2f}{worth:>9.2f}"
        f"{worth - warming:>9.2f}"
    )


def _progress(label: str, days: int, day: int) -> None:
    """On a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{label}: day {day} of {days}\x1b[K" if day < days else "\r\x1b[K")
        sys.stderr.flush()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 on, got {text!r}")
    return value


def _usd(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise argparse.ArgumentTypeError(f"an amount from 0 on, got {text!r}")
    return value


def _amount(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"a number above 0, got {text!r}")
    return value


if __name__ == "__main__":
    sys.exit(main())
