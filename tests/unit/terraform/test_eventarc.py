"""The subscription behind Eventarc's trigger gets dead letters, by the script that Terraform runs."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from tests.unit.terraform.module import MODULE, resources

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT: Final = MODULE / "eventarc_dead_letters.sh"
ENVIRONMENT: Final = {
    "AGENT": "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com",
    "ATTEMPTS": "20",
    "DEAD_LETTERS": "projects/cutout-test/topics/dead-letters",
    "PROJECT": "cutout-test",
    "REGION": "us-central1",
    "TRIGGER": "uploads",
}
NAME: Final = "eventarc-us-central1-uploads-sub-017"


@pytest.fixture
def gcloud(tmp_path: Path) -> Path:
    """A folder with a `gcloud` that writes down how it was called, and answers with what stands in `answer`."""
    program = tmp_path / "gcloud"
    program.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\ncat {tmp_path}/answer\n', encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "answer").write_text(f"projects/cutout-test/subscriptions/{NAME}\n", encoding="utf-8")
    return tmp_path


def run(gcloud: Path) -> subprocess.CompletedProcess[str]:
    environment = ENVIRONMENT | {"PATH": f"{gcloud}:{os.environ['PATH']}"}
    return subprocess.run(["sh", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False, timeout=20)


def test_the_subscription_gets_dead_letters_attempts_and_pauses(gcloud: Path) -> None:
    assert run(gcloud).returncode == 0
    described, granted, updated = (gcloud / "calls").read_text(encoding="utf-8").splitlines()
    assert described.startswith("eventarc triggers describe uploads --project=cutout-test --location=us-central1 ")
    assert granted.startswith(f"pubsub subscriptions add-iam-policy-binding {NAME} --project=cutout-test ")
    assert f"--member={ENVIRONMENT['AGENT']} --role=roles/pubsub.subscriber" in granted
    assert updated.startswith(f"pubsub subscriptions update {NAME} --project=cutout-test ")
    assert f"--dead-letter-topic={ENVIRONMENT['DEAD_LETTERS']} --max-delivery-attempts=20" in updated
    assert "--min-retry-delay=10s --max-retry-delay=600s --ack-deadline=600" in updated


def test_without_a_subscription_it_says_so_and_fails(gcloud: Path) -> None:
    (gcloud / "answer").write_text("\n", encoding="utf-8")
    done = run(gcloud)
    assert done.returncode == 1
    assert "trigger uploads has no subscription yet" in done.stderr


def test_terraform_gives_the_script_all_that_it_reads() -> None:
    provisioner = resources("terraform_data")["uploads_dead_letters"]["provisioner"][0]["local-exec"]
    text = SCRIPT.read_text(encoding="utf-8")
    read = set(re.findall(r"\$([A-Z_]+)", text))
    assert read == set(provisioner["environment"]) - {"SCRIPT"} == set(ENVIRONMENT)
