"""The report over the emulator, through the command that makes it."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from cloud.bigquery import BigQueryQueries, BigQueryTable
from local import report
from local.bigquery import create_cost_table
from local.report_page import money
from local.stack import DATASET, StackInfo
from tests.integration.costs.shop import weeks_of_a_shop
from tests.integration.costs.table import CostTable

if TYPE_CHECKING:
    from pathlib import Path

    from google.cloud.bigquery import Client

    from local.bigquery import BigQueryEmulator


class References(HTMLParser):
    """What a page wants to have fetched, and whether it runs anything."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "link", "iframe", "img", "object"}:
            self.outside.append(tag)
        self.outside += [f"{name}={value}" for name, value in attrs if name in {"src", "href"} and value]


@pytest.fixture(scope="module")
def shop(client: Client) -> CostTable:
    """The stack's own dataset, with five days of a shop in it."""
    create_cost_table(client, DATASET)
    table = CostTable(BigQueryTable(client, f"{DATASET}.cost_events"), BigQueryQueries(client), DATASET)
    table.record(*weeks_of_a_shop(datetime.now(UTC), days=5, jobs_a_day=40))
    return table


@pytest.fixture
def info(bigquery: BigQueryEmulator) -> StackInfo:
    named = ("api_url", "worker_url", "storage_url", "pubsub", "page_url", "api_key", "network", "model")
    rest = dict.fromkeys(named, "")
    return StackInfo(pid=0, project=bigquery.project, bigquery_url=bigquery.url, **rest)


def options(*arguments: str, state: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    report.add_arguments(parser, state=state)
    return parser.parse_args(arguments)


def test_a_page_that_needs_nothing_else_and_tables_tell_the_same(
    shop: CostTable, info: StackInfo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pages" / "costs.html"
    assert report.run(options("--out", str(out), "--days", "7", state=tmp_path), info) == 0

    page = out.read_text()
    references = References()
    references.feed(page)
    assert [each for each in references.outside if not each.startswith("href=#")] == []
    assert not re.search(r"url\((?!#)|@import", page)
    assert page.count("<svg ") == 8
    total = money(shop.scalar("SUM(usd)"))
    assert f"<dd>{total} <small>USD</small></dd>" in page
    told = capsys.readouterr().out
    assert f"Cost: {total} USD" in told
    assert "second-hand-bikes" in page
    assert "second-hand-bikes" in told


def test_days_before_the_time_asked_for_are_left_out(
    shop: CostTable, info: StackInfo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report.run(options("--out", str(tmp_path / "costs.html"), "--days", "1", state=tmp_path), info)
    today = shop.scalar("SUM(IF(DATE(occurred_at) = CURRENT_DATE(), usd, 0))")
    assert f"Cost: {money(today)} USD" in capsys.readouterr().out


@pytest.mark.parametrize("days", ["0", "-3", "3661", "99999999", "9" * 5000, "1.5", "week", "\u0663"])
def test_a_number_of_days_that_makes_no_report_is_refused_in_words(
    days: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        options(f"--days={days}", state=tmp_path)
    assert "is not a number of days from 1 to 3660" in capsys.readouterr().err


def test_without_anything_recorded_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="nothing was recorded yet"):
        report.run(options(state=tmp_path), None)
