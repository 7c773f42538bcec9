"""The cost report as somebody reads it: some weeks of a shop, and a shop in which nothing was recorded yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from cloud.bigquery import BigQueryQueries, BigQueryTable, bigquery_client
from local.bigquery import create_cost_table
from local.cost_views import CostFigures
from local.report_page import page as report_page
from tests.browser.looks import DEVICES, look, reported
from tests.integration.costs.shop import weeks_of_a_shop
from tests.integration.costs.table import CostTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from local.stack import Stack

EVENING: Final = datetime(2026, 11, 23, 20, tzinfo=UTC)
DAYS: Final = 14


def written(folder: Path, stack: Stack, dataset: str) -> Path:
    """The report of that dataset's last two weeks, as `python -m local report` writes it."""
    queries = BigQueryQueries.connect(project=stack.project, emulator=stack.bigquery_url)
    figures = CostFigures.read(queries, dataset, EVENING - timedelta(days=DAYS), EVENING)
    queries.close()
    file = folder / f"{dataset}.html"
    file.write_text(report_page(figures, source=f"{stack.project}.{dataset}", read_at=EVENING))
    return file


@pytest.fixture(scope="module")
def reports(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By what is in them."""
    folder = tmp_path_factory.mktemp("reports")
    with bigquery_client(project=stack.project, emulator=stack.bigquery_url) as client:
        for dataset in ("busy", "empty"):
            create_cost_table(client, dataset)
        table = CostTable(BigQueryTable(client, "busy.cost_events"), BigQueryQueries(client), "busy")
        table.record(*weeks_of_a_shop(EVENING, days=DAYS, jobs_a_day=60))
    return {dataset: written(folder, stack, dataset) for dataset in ("busy", "empty")}


@pytest.fixture(params=DEVICES)
def reader(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """An empty page on each of the devices, on which nothing may go wrong."""
    with browser.new_context(**DEVICES[request.param]) as context:
        page = context.new_page()
        errors = reported(page)
        yield page
        assert errors == []


@pytest.fixture
def device(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["reader"])


@pytest.mark.parametrize("content", ["busy", "empty"])
def test_the_report_is_accessible_fits_and_is_kept_as_a_picture(
    reader: Page, reports: dict[str, Path], npm: Path, device: str, content: str
) -> None:
    reader.goto(reports[content].as_uri())
    reader.evaluate((npm / "axe-core" / "axe.min.js").read_text())
    look(reader, f"report-{content}-{device}", whole=True)


def test_the_numbers_behind_the_charts_stay_within_the_page(
    reader: Page, reports: dict[str, Path], npm: Path, device: str
) -> None:
    reader.goto(reports["busy"].as_uri())
    reader.evaluate((npm / "axe-core" / "axe.min.js").read_text())
    for summary in reader.locator("summary").all():
        summary.click()
    expect(reader.locator("table")).to_have_count(8)
    expect(reader.locator("td", has_text="second-hand-bikes").first).to_be_visible()
    look(reader, f"report-numbers-{device}", whole=True)
