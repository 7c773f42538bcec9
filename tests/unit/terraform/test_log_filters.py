"""What metrics and alerts look for in the log is what the programs write there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.unit.terraform.module import MODULE, local_values

ROOT: Final = Path(__file__).parents[3]
FILTER: Final = re.compile(r'jsonPayload\.message=(\([^)]*\)|\\"\w+\\")')
PROGRAMS: Final = ("functions", "gpu_worker", "jobs", "alerts", "cloud", "webhooks", "warehouse")


def looked_for(text: str) -> set[str]:
    return {name for found in FILTER.findall(text) for name in re.findall(r"[a-z_]+", found.lower()) if name != "or"}


LOOKED_FOR: Final = {name for path in MODULE.glob("*.tf") for name in looked_for(path.read_text(encoding="utf-8"))}


@pytest.fixture(scope="module")
def sources() -> str:
    paths = (path for program in PROGRAMS for path in (ROOT / program).rglob("*.py"))
    return "".join(path.read_text(encoding="utf-8") for path in paths)


@pytest.mark.parametrize("name", sorted(LOOKED_FOR))
def test_an_event_that_is_looked_for_is_logged_by_a_program(name: str, sources: str) -> None:
    assert f'"{name}"' in sources


def test_a_letter_that_is_no_jobs_is_not_counted_as_a_failed_job() -> None:
    module = local_values()
    assert looked_for(module["log_metrics"]["jobs"]["filter"]) == {"job_ended", "dead_letter_kept"}
    assert "letter_kept" not in LOOKED_FOR
