"""An objective on a log-based metric is made once Monitoring knows the metric, by the script that Terraform runs."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from tests.unit.terraform.module import MODULE, resources

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT: Final = MODULE / "metric_known.sh"
ENVIRONMENT: Final = {
    "METRIC": "logging.googleapis.com/user/cutout/jobs",
    "PAUSE": "0",
    "PROJECT": "cutout-test",
    "TRIES": "3",
}
URL: Final = "https://monitoring.googleapis.com/v3/projects/cutout-test/metricDescriptors/logging.googleapis.com/user/cutout/jobs"


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with a `gcloud` that has a token, and a `curl` that answers with the next line of `answers`."""
    programs = {
        "gcloud": "echo secret-token",
        "curl": f"""echo "$*" >> {tmp_path}/calls
cat >> {tmp_path}/headers
head -n 1 {tmp_path}/answers | tr -d '\\n'
sed -i 1d {tmp_path}/answers""",
    }
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def run(tools: Path, *answers: str) -> subprocess.CompletedProcess[str]:
    (tools / "answers").write_text("".join(f"{answer}\n" for answer in answers), encoding="utf-8")
    environment = ENVIRONMENT | {"PATH": f"{tools}:{os.environ['PATH']}"}
    return subprocess.run(["sh", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False, timeout=20)


def test_it_waits_until_the_metric_is_known(tools: Path) -> None:
    assert run(tools, "404", "000", "200").returncode == 0
    calls = (tools / "calls").read_text(encoding="utf-8").splitlines()
    assert [call.endswith(URL) for call in calls] == [True, True, True]


def test_it_does_not_wait_for_ever(tools: Path) -> None:
    done = run(tools, "404", "404", "404", "200")
    assert done.returncode == 1
    assert "does not know logging.googleapis.com/user/cutout/jobs yet (404): apply again" in done.stderr


def test_the_token_is_no_argument_of_a_program(tools: Path) -> None:
    run(tools, "200")
    assert "secret-token" not in (tools / "calls").read_text(encoding="utf-8")
    assert (tools / "headers").read_text(encoding="utf-8") == "Authorization: Bearer secret-token"


def test_terraform_gives_the_script_all_that_it_reads() -> None:
    provisioner = resources("terraform_data")["jobs_metric"]["provisioner"][0]["local-exec"]
    read = set(re.findall(r"\$([A-Z_]+)", SCRIPT.read_text(encoding="utf-8")))
    assert read == set(provisioner["environment"]) - {"SCRIPT"} == set(ENVIRONMENT)
    assert int(provisioner["environment"]["TRIES"]) * int(provisioner["environment"]["PAUSE"]) >= 600
