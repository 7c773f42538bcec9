"""The module as Terraform sees it, and what it would give the code."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import google.auth
import pytest
from google.auth.credentials import AnonymousCredentials

from functions import main
from gpu_worker.settings import Settings
from tests.integration.terraform.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.terraform.module import Module, Planned

ENVIRONMENTS = ("staging", "production")
SECRETS = {"CONTENT_SECRET": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", "WEBHOOKS": "{}", "ALERT_RECEIVERS": "[]"}


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def planned(request: pytest.FixtureRequest, plan_of: Callable[[str], Planned]) -> Planned:
    return plan_of(request.param)


@pytest.fixture
def no_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients are made and never used; nothing is sent."""
    for service in ("BIGQUERY", "STORAGE"):
        monkeypatch.setenv(f"{service}_EMULATOR_HOST", "http://127.0.0.1:1")
    for service in ("MONITORING", "PUBSUB", "RUN"):
        monkeypatch.setenv(f"{service}_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setattr(google.auth, "default", lambda **_: (AnonymousCredentials(), "cutout-test"))


@pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no terraform here")
def test_files_are_formatted() -> None:
    done = subprocess.run(
        ["terraform", f"-chdir={ROOT / 'terraform'}", "fmt", "-check", "-recursive", "-diff"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_module_is_valid(module: Module) -> None:
    done = module.run("validate", "-no-color")
    assert done.returncode == 0, done.stderr


def test_its_own_tests_pass(module: Module) -> None:
    done = module.run("test", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("no_cloud")
@pytest.mark.parametrize("function", main.FUNCTIONS)
def test_a_function_starts_with_what_is_planned_for_it(
    monkeypatch: pytest.MonkeyPatch, planned: Planned, function: str
) -> None:
    """Values of computed attributes are made up, so that only their being there is tested."""
    for name, value in (SECRETS | planned.function_environment(function)).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRACES", "off")
    main.__getattr__.cache_clear()
    assert callable(getattr(main, function))
    main.__getattr__.cache_clear()


def test_the_worker_starts_with_what_is_planned_for_it(monkeypatch: pytest.MonkeyPatch, planned: Planned) -> None:
    for name, value in (SECRETS | planned.worker_environment("us-central1")).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("K_SERVICE", "gpu-worker")
    settings = Settings.from_env(os.environ)
    template = planned.worker("us-central1")["template"][0]
    assert template["containers"][0]["resources"][0]["limits"]["cpu"] == f"{settings.vcpus:g}"
    assert template["max_instance_request_concurrency"] == 2 * settings.concurrency
    assert settings.max_pending >= template["max_instance_request_concurrency"]


def test_staging_fits_into_the_quotas_of_a_new_project(plan_of: Callable[[str], Planned]) -> None:
    """Cloud Run compares the most instances of each, times their size, with 20 vCPU and 40 GiB."""
    planned = plan_of("staging")
    worker = planned.worker("us-central1")["template"][0]
    [job] = planned.resources["google_cloud_run_v2_job"].values()
    task = job["template"][0]
    sizes = [
        (worker["scaling"][0]["max_instance_count"], worker["containers"][0]),
        (task["parallelism"], task["template"][0]["containers"][0]),
    ]
    for most, container in sizes:
        limits = container["resources"][0]["limits"]
        assert most * int(limits["cpu"]) <= 20
        assert most * int(limits["memory"].removesuffix("Gi")) <= 40


def test_staging_is_small(plan_of: Callable[[str], Planned]) -> None:
    limits = {
        name: plan_of(name).worker("us-central1")["template"][0]["scaling"][0]["max_instance_count"]
        for name in ENVIRONMENTS
    }
    assert limits == {"staging": 1, "production": 3}
