"""`python -m local report`: what it all cost, as a page with charts and as tables on the terminal.

From the BigQuery of the stack that `up` started, else from what the last one left behind, or from a real project.
"""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.console import Console

from cloud.bigquery import BigQueryQueries, bigquery_client
from local.bigquery import BigQueryEmulator, create_cost_table
from local.cost_tables import print_costs
from local.cost_views import CostFigures
from local.ports import free_ports
from local.processes import Supervisor
from local.report_page import page
from local.stack import DATASET, PROJECT

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from local.stack import StackInfo

__all__ = ["add_arguments", "run"]


_MOST_DAYS: Final = 3660


class _Source(NamedTuple):
    queries: BigQueryQueries
    dataset: str


def add_arguments(parser: argparse.ArgumentParser, *, state: Path) -> None:
    parser.add_argument("--out", type=Path, default=Path("out/report.html"), help="the page (default: out/report.html)")
    parser.add_argument("--days", type=_days, default=30, help="how many days to look back (default: 30)")
    parser.add_argument("--project", help="a Google Cloud project, instead of this machine")
    parser.add_argument("--dataset", default=DATASET, help=f"its dataset (default: {DATASET})")
    parser.add_argument("--state", type=Path, default=state, help="where `up` keeps its state (default: .local)")


def _days(text: str) -> int:
    """Raises `ArgumentTypeError`."""
    if re.fullmatch("[0-9]{1,4}", text) and 1 <= int(text) <= _MOST_DAYS:
        return int(text)
    raise ArgumentTypeError(f"{text[:20]!r} is not a number of days from 1 to {_MOST_DAYS}")


def run(options: argparse.Namespace, info: StackInfo | None) -> int:
    """0. Raises `RuntimeError` where nothing was ever recorded, and `CutoutError`."""
    console = Console()
    now = datetime.now(UTC)
    since = datetime.combine(now.date() - timedelta(days=options.days - 1), time(), tzinfo=UTC)
    with ExitStack() as exits:
        source = exits.enter_context(_source(options, info))
        figures = CostFigures.read(source.queries, source.dataset, since, now)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page(figures, source=source.dataset, read_at=now))
    print_costs(console, figures)
    console.print(f"charts: {options.out}", highlight=False, soft_wrap=True)
    return 0


@contextmanager
def _source(options: argparse.Namespace, info: StackInfo | None) -> Iterator[_Source]:
    if options.project:
        queries = BigQueryQueries.connect(project=options.project)
        yield _Source(queries, f"{options.project}.{options.dataset}")
        queries.close()
    elif info is not None:
        queries = BigQueryQueries.connect(project=info.project, emulator=info.bigquery_url)
        yield _Source(queries, f"{info.project}.{DATASET}")
        queries.close()
    else:
        with _left_behind(options.state) as source:
            yield source


@contextmanager
def _left_behind(state: Path) -> Iterator[_Source]:
    data = state / "bigquery"
    if not data.is_dir():
        raise RuntimeError("nothing was recorded yet; `python -m local up` starts the system that records")
    (port,) = free_ports(1)
    emulator = BigQueryEmulator(port=port, data=data, project=PROJECT)
    with Supervisor(state / "logs") as supervisor:
        supervisor.start(emulator.program())
        with bigquery_client(project=PROJECT, emulator=emulator.url) as client:
            create_cost_table(client, DATASET)
            yield _Source(BigQueryQueries(client), f"{PROJECT}.{DATASET}")
