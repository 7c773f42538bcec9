"""What the pages say can be clicked, and typed."""

from __future__ import annotations

import importlib.util
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from functions.on_alert import AlertSettings
from planner import bill
from planner.monthly import Month, Shop
from tests.unit.docs.pages import PAGES, ROOT, Page, commands, headings, links, targets
from tests.unit.terraform.module import MODULE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAKEFILE: Final = (ROOT / "Makefile").read_text(encoding="utf-8")
OPERATIONS: Final = Page.of(ROOT / "docs" / "operations.md")
OF_OTHERS: Final = {"venv", "pip", "http.server"}
"""Modules that are none of ours."""

each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


@each_page
def test_links_lead_to_files_and_headings(path: Path) -> None:
    page = Page.of(path)
    for target in links(page):
        file, _, anchor = target.partition("#")
        other = page.path if not file else (path.parent / file).resolve()
        assert other.exists(), target
        assert not anchor or anchor in headings(Page.of(other)), target


@each_page
def test_make_has_the_targets(path: Path) -> None:
    for target in targets(Page.of(path)):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), f"make {target}"


@each_page
def test_modules_and_their_options_are_there(path: Path) -> None:
    for module, arguments in commands(Page.of(path)):
        if module in OF_OTHERS:
            continue
        found = importlib.util.find_spec(module)
        assert found is not None, module
        package = found.submodule_search_locations
        assert package is None or importlib.util.find_spec(f"{module}.__main__"), f"{module} is no command"
        sources = sorted(Path(package[0]).glob("*.py")) if package else [Path(str(found.origin))]
        text = "".join(source.read_text(encoding="utf-8") for source in sources)
        for option in re.findall(r"(?<!\S)\[?(--[a-z][a-z-]*)", arguments):
            assert f'"{option}"' in text, f"python -m {module} has no {option}"


@each_page
def test_terraform_has_the_outputs_and_resources(path: Path) -> None:
    module = "".join(file.read_text(encoding="utf-8") for file in sorted(MODULE.glob("*.tf")))
    text = Page.of(path).text
    for name in re.findall(r"terraform(?: -chdir=\S+)? output(?: -(?:raw|json))* ([a-z_]+)", text):
        assert f'output "{name}"' in module, name
    for kind, name in re.findall(r"-target='?([a-z0-9_]+)\.([a-z_]+)", text):
        assert f'resource "{kind}" "{name}"' in module, f"{kind}.{name}"


def test_commands_are_found() -> None:
    """An empty search would pass everything."""
    page = Page(
        Path("x"),
        "`make up`, then\n\n    .venv/bin/python -m local submit a.jpg \\\n      --out x  # here\n[a](b.md#c)",
    )
    assert targets(page) == {"up"}
    assert commands(page) == [("local", " submit a.jpg --out x  ")]
    assert links(page) == ["b.md#c"]
    assert headings(Page(Path("x"), "## What, `now`? 1st\n```\n# no\n```")) == {"what-now-1st"}


def test_the_first_receivers_of_alerts_are_ones_that_on_alert_takes() -> None:
    (written,) = re.findall(r"printf '(.*)' \|\n *gcloud secrets versions add alert-receivers", OPERATIONS.text)
    assert AlertSettings.from_env({"ALERT_RECEIVERS": written}).receivers


def test_numbers_in_the_text_are_the_planners() -> None:
    nobody, hundred, million = (Month.of(Shop(images_a_day=count)) for count in (0, 100, 1_000_000))
    at_once = Month.of(Shop(images_a_day=100, open_hours=1))
    shop = Shop(images_a_day=0)
    by_three = 3 * shop.utilization / shop.seconds_an_image * shop.open_hours * 3600
    text = " ".join(OPERATIONS.text.split())
    for told in (
        f"**No photos cost {nobody.usd / 30:.1f} USD a day**",
        f"{hundred.worker_usd / 30:.2f} USD, and works for {100 * shop.seconds_an_image:.0f} seconds",
        f"within one hour cost {at_once.worker_usd / 30:.2f}",
        f"needs {math.ceil(million.load.instances)} GPUs",
        f"do {by_three // 1000:.0f},000 in 13 hours",
        f"{math.exp(-100 / (shop.open_hours * 3600) * 600):.3f} for a hundred a day",
    ):
        assert told in text, told


@pytest.mark.parametrize("table", [bill.by_product, bill.by_network, bill.by_step])
def test_what_it_costs_is_what_the_planner_says(table: Callable[[Shop, Sequence[int]], str]) -> None:
    assert table(Shop(images_a_day=0), bill.IMAGES) in OPERATIONS.text, "run `python -m planner.bill`"
