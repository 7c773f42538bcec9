"""A build installs little to roll out: requirements/rollout.txt."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

from tests.unit.delivery.build import ROOT

LISTED: Final = """
import sys
import rollout.__main__
print(*sorted(name for name in sys.modules))
"""


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """Every module that the command needs."""
    done = subprocess.run([sys.executable, "-c", LISTED], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_it_needs_neither_pictures_nor_networks_nor_a_web_framework(imported: set[str]) -> None:
    assert imported.isdisjoint({"numpy", "cv2", "PIL", "torch", "flask", "starlette", "opentelemetry.sdk", "redis"})


def test_it_knows_nothing_of_programs_beside_it(imported: set[str]) -> None:
    ours = {name.partition(".")[0] for name in imported}
    assert ours.isdisjoint({"functions", "gpu_worker", "imaging", "planner", "warehouse", "webhooks"})


def test_of_the_local_stack_it_takes_the_client_of_the_api_and_no_emulator(imported: set[str]) -> None:
    assert {name for name in imported if name.startswith("local.")} == {"local.storefront"}


@pytest.mark.parametrize("package", ["cloud", "events", "jobs", "alerts", "functions", "gpu_worker", "local"])
def test_nobody_needs_a_rollout(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert "from rollout" not in path.read_text(encoding="utf-8"), path
