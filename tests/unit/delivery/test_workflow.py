"""What GitHub runs for a pull request."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
import yaml

from tests.unit.delivery.build import ROOT, read_build

PATH: Final = ROOT / ".github" / "workflows" / "tests.yml"


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    parsed: dict[Any, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return parsed


def test_pull_requests_are_tested_and_what_is_merged(workflow: dict[Any, Any]) -> None:
    events = workflow[True]  # YAML 1.1 reads `on` as a boolean
    assert "pull_request" in events
    assert events["push"]["branches"] == ["main"]
    assert "pull_request_target" not in events, "that would run a stranger's code with our rights"


def test_it_runs_what_every_checkout_runs(workflow: dict[Any, Any]) -> None:
    scripts = [step["run"] for step in workflow["jobs"]["tests"]["steps"] if "run" in step]
    assert any(line.strip() == ".ci/run" for script in scripts for line in script.splitlines())


def test_it_may_read_and_nothing_else(workflow: dict[Any, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in workflow["jobs"]["tests"]
    assert "secrets." not in PATH.read_text(encoding="utf-8")


def test_actions_have_a_version(workflow: dict[Any, Any]) -> None:
    for step in workflow["jobs"]["tests"]["steps"]:
        if "uses" in step:
            assert re.fullmatch(r"[a-z-]+/[a-z-]+@(v\d+|[0-9a-f]{40})", step["uses"])


def test_a_newer_push_takes_the_place_of_an_older_one(workflow: dict[Any, Any]) -> None:
    assert "github.ref" in workflow["concurrency"]["group"]
    assert workflow["concurrency"]["cancel-in-progress"]


def test_it_tests_on_what_cloud_build_tests_on(workflow: dict[Any, Any]) -> None:
    steps = {step.id: step for step in read_build().steps}
    assert workflow["jobs"]["tests"]["container"] == steps["check"].image
    (terraform,) = (step for step in workflow["jobs"]["tests"]["steps"] if "setup-terraform" in step.get("uses", ""))
    assert steps["tools"].image == f"hashicorp/terraform:{terraform['with']['terraform_version']}"
