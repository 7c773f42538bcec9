"""Every variable that a deployable reads is set, and none is set that nobody reads."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import google.auth
import pytest
from google.auth.credentials import AnonymousCredentials

from cloud.environment import Environment
from functions import main
from gpu_worker.bulk.share import Share, tenants_from_env
from gpu_worker.settings import Settings
from tests.unit.terraform.module import local_values, resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    Names = set[str]

WORKER: Final = "gpu_worker"

VALUES: Final[dict[str, str]] = defaultdict(
    str,
    {
        "ALERT_DRY_RUN": "false",
        "BREAKER_PAUSE_SECONDS": "30",
        "CDN_HOST": "cdn.api.example.com",
        "CDN_KEY": "first:nZtRohdNF9m3cKM24IcK4w==",
        "CONTENT_SECRET": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
        "DEAD_LETTERS_BUCKET": "cutout-dead-letters",
        "DEVICE": "cuda",
        "JOBS_BUCKET": "cutout-jobs",
        "MATTES_BUCKET": "cutout-mattes",
        "METRICS": "console",
        "MODEL": "instant-000000000000-fp32-p1",
        "PROJECT": "cutout-test",
        "PUBLIC_URL": "https://api.example.com",
        "PUSH_AUDIENCE": "https://gpu-worker.cutout-test",
        "PUSH_SENDER": "push@cutout-test.iam.gserviceaccount.com",
        "RATE_LIMIT_STORAGE": "redis://10.0.0.3:6379/0",
        "REGION": "us-central1",
        "RESULTS_BUCKET": "cutout-results",
        "SIGNING_ACCOUNT": "signer@cutout-test.iam.gserviceaccount.com",
        "TENANTS": "[]",
        "UPLOADS_BUCKET": "cutout-uploads",
        "WORKER_REGION": "europe-west4",
        "WORKER_REGIONS": "europe-west4,us-central1",
        "WORKER_SERVICE": "gpu-worker",
    },
)
"""For what is required; the defaults are good for everything else."""

SET_BY_CLOUD_RUN: Final = {"K_REVISION", "K_SERVICE", "PORT"}
SET_FOR_TASKS: Final = {"CLOUD_RUN_TASK_ATTEMPT", "CLOUD_RUN_TASK_COUNT", "CLOUD_RUN_TASK_INDEX"}
LEFT_OUT: Final = {
    "BACKEND": "the worker's GPU computes: OpenVINO is for CPUs",
    "CACHE_DIR": "OpenVINO's",
    "HOST": "a container listens on all interfaces",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "of a collector, which the cloud has none of",
    "SIGNING_KEY_FILE": "there is no key file in the cloud: IAM signs",
    "STORAGE_URL": "Google's own",
    "THREADS": "the worker's GPU computes: CPU threads are torch's business",
    "WEBHOOK_LOOPBACK": "for one machine alone",
    "WEIGHTS": "the image's copy",
}
READ_BY_OTHERS: Final = {"THREADS": "functions-framework"}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Names:
    """The names of the variables that were read from now on."""
    names: Names = set()
    original = Environment._read

    def recording(self: Environment, name: str, *arguments: Any, **options: Any) -> Any:
        names.add(name)
        return original(self, name, *arguments, **options)

    monkeypatch.setattr(Environment, "_read", recording)
    return names


@pytest.fixture
def no_services(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clients are made and never used."""
    for service in ("BIGQUERY", "STORAGE"):
        monkeypatch.setenv(f"{service}_EMULATOR_HOST", "http://127.0.0.1:1")
    for service in ("MONITORING", "PUBSUB", "RUN"):
        monkeypatch.setenv(f"{service}_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setattr(google.auth, "default", lambda **_: (AnonymousCredentials(), "cutout-test"))
    yield
    main.__getattr__.cache_clear()


def set_for(function: str) -> Names:
    module = local_values()
    spec = module["functions"][function]
    groups = [*module["function_groups"], *spec.get("settings", ())]
    names = {name for group in groups for name in module["settings"][group]}
    names |= {"FUNCTION_VCPUS", "FUNCTION_GIB", "THREADS"}
    names |= {module["secrets"][secret]["variable"] for secret in ("content", *spec.get("secrets", ()))}
    if spec.get("signs"):
        names |= {"SIGNING_ACCOUNT"}
        names |= {*module["settings"]["cdn"], module["secrets"]["cdn-key"]["variable"]}  # where the CDN is on
    if spec.get("public"):
        names |= {module["secrets"]["rate-limit-storage"]["variable"]}  # where there is a Redis
    return names


def set_for_worker() -> Names:
    module = local_values()
    names = {name for group in module["worker_groups"] for name in module["settings"][group]}
    return names | {"REGION", module["secrets"]["content"]["variable"]}


def set_environment(monkeypatch: pytest.MonkeyPatch, names: Names) -> None:
    for name in names:
        monkeypatch.setenv(name, VALUES[name])


@pytest.mark.usefixtures("no_services")
@pytest.mark.parametrize("function", main.FUNCTIONS)
def test_a_function_reads_what_is_set(monkeypatch: pytest.MonkeyPatch, read: Names, function: str) -> None:
    names = set_for(function)
    set_environment(monkeypatch, names)
    main.__getattr__.cache_clear()
    assert callable(getattr(main, function))
    assert read - names - SET_BY_CLOUD_RUN - LEFT_OUT.keys() == set(), "read, but not set"
    assert names - read - READ_BY_OTHERS.keys() == set(), "set, but not read"


def test_the_worker_reads_what_is_set(monkeypatch: pytest.MonkeyPatch, read: Names) -> None:
    names = set_for_worker()
    set_environment(monkeypatch, names)
    monkeypatch.setenv("K_SERVICE", "gpu-worker")
    Settings.from_env(os.environ)
    assert read - names - SET_BY_CLOUD_RUN - LEFT_OUT.keys() == set(), "read, but not set"
    assert names - read == set(), "set, but not read"


def test_the_job_for_catalogues_reads_what_is_set(monkeypatch: pytest.MonkeyPatch, read: Names) -> None:
    [environment] = resources("google_cloud_run_v2_job")["catalogue"]["template"][0]["template"][0]["containers"][0][
        "dynamic"
    ]
    settings = environment["env"]["for_each"]
    assert settings.startswith("${merge(local.worker_settings, {REGION = var.region, TENANT_NAMES = ")
    names = set_for_worker() | {"TENANT_NAMES"}
    set_environment(monkeypatch, names)
    Settings.from_env(os.environ)
    Share.from_env(os.environ)
    tenants_from_env(os.environ)
    assert read - names - SET_BY_CLOUD_RUN - SET_FOR_TASKS - LEFT_OUT.keys() == set(), "read, but not set"
    assert names - read == set(), "set, but not read"


@pytest.mark.usefixtures("no_services")
def test_reasons_for_what_is_left_out_are_still_needed(monkeypatch: pytest.MonkeyPatch, read: Names) -> None:
    monkeypatch.setenv("K_SERVICE", "gpu-worker")
    for function in main.FUNCTIONS:
        set_environment(monkeypatch, set_for(function))
        main.__getattr__.cache_clear()
        getattr(main, function)
    set_environment(monkeypatch, set_for_worker())
    Settings.from_env(os.environ)
    assert LEFT_OUT.keys() <= read
