"""Every alert links to a section of the runbooks, and every section belongs to an alert."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from events.prices import PRICES
from planner.worker import Worker
from tests.unit.terraform.module import MODULE, local_values

DOCS: Final = Path(__file__).parents[3] / "docs"
RUNBOOKS: Final = (DOCS / "runbooks.md").read_text(encoding="utf-8")
ALERTS: Final = (MODULE / "alerts.tf").read_text(encoding="utf-8")


def alert_keys() -> set[str]:
    """Those of the literal map, and one for each objective and window."""
    literal = re.findall(r"^    ([a-z-]+) = \{$", ALERTS.partition("alerts = merge({")[2], flags=re.MULTILINE)
    module = local_values()
    return set(literal) | {
        f"slo-{objective}-{window}" for objective in module["objectives"] for window in module["windows"]
    }


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def headings() -> set[str]:
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", RUNBOOKS, flags=re.MULTILINE)}


def test_alerts_link_to_the_section_of_their_name() -> None:
    assert 'url          = "${var.runbooks_url}#runbook-${each.key}"' in ALERTS
    assert len(alert_keys()) > 10


@pytest.mark.parametrize("key", sorted(alert_keys()))
def test_an_alert_has_a_section(key: str) -> None:
    assert f"runbook-{key}" in headings()


def test_no_section_is_of_an_alert_that_is_gone() -> None:
    assert {name for name in headings() if name.startswith("runbook-")} == {f"runbook-{key}" for key in alert_keys()}


def test_links_between_sections_and_pages_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", RUNBOOKS):
        page, _, section = target.partition("#")
        assert section in headings() if not page else (DOCS / page).exists(), target


def test_the_price_of_a_second_is_the_price_tables() -> None:
    number = "([0-9.]+)"
    formula = rf"= {number} \+ var\.worker\.vcpus \* {number} \+ var\.worker\.gib \* {number}$"
    (found,) = re.findall(formula, ALERTS, flags=re.MULTILINE)
    gpu, vcpu, gib = (float(part) for part in found)
    worker = Worker(prices=PRICES)
    assert gpu + worker.vcpus * vcpu + worker.gib * gib == pytest.approx(worker.usd_per_second)
