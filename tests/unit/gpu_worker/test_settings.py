from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

import pytest

from cloud.environment import SettingsError
from gpu_worker.settings import Settings

LOCAL: Final = {
    "PROJECT": "cutout-test",
    "REGION": "europe-west4",
    "UPLOADS_BUCKET": "uploads",
    "MATTES_BUCKET": "mattes",
    "RESULTS_BUCKET": "results",
    "JOBS_BUCKET": "jobs",
    "CONTENT_SECRET": base64.b64encode(b"s" * 32).decode(),
    "DEVICE": "cpu",
}
CLOUD: Final = LOCAL | {
    "K_SERVICE": "gpu-worker",
    "DEVICE": "cuda",
    "PUSH_AUDIENCE": "https://worker.test",
    "PUSH_SENDER": "pubsub@cutout-test.iam.gserviceaccount.com",
}


def test_settings_are_read_from_the_environment() -> None:
    settings = Settings.from_env(LOCAL | {"WEIGHTS": "/weights/x.safetensors", "THREADS": "2"})
    assert (settings.device, settings.weights, settings.threads) == ("cpu", Path("/weights/x.safetensors"), 2)
    assert (settings.port, settings.concurrency, settings.batch_window) == (8080, 4, 0.1)
    assert Settings.from_env(LOCAL).weights is None
    assert Settings.from_env(LOCAL).threads is None


@pytest.mark.parametrize("missing", ["PUSH_AUDIENCE", "PUSH_SENDER"])
def test_in_the_cloud_it_does_not_start_without_knowing_whose_pushes_to_take(missing: str) -> None:
    Settings.from_env(CLOUD)
    for environ in (CLOUD | {missing: ""}, {name: value for name, value in CLOUD.items() if name != missing}):
        with pytest.raises(SettingsError) as refusal:
            Settings.from_env(environ)
        assert set(refusal.value.variables) == {missing}


def test_the_device_is_never_guessed() -> None:
    with pytest.raises(SettingsError, match="DEVICE"):
        Settings.from_env({name: value for name, value in LOCAL.items() if name != "DEVICE"})


@pytest.mark.parametrize(
    ("name", "value"),
    [("BATCH_WINDOW_SECONDS", "0.2"), ("CONCURRENCY", "0"), ("MAX_PENDING", "-1"), ("DEVICE", "tpu"), ("PORT", "http")],
)
def test_a_value_out_of_bounds_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_env(LOCAL | {name: value})
    assert set(refusal.value.variables) == {name}


@pytest.mark.parametrize(("gpus", "kind"), [("1", "gpu"), ("0", "cpu")])
def test_the_worker_is_billed_as_the_instance_it_is(gpus: str, kind: str) -> None:
    billing = Settings.from_env(LOCAL | {"INSTANCE_GPUS": gpus}).billing()
    assert (billing.kind, billing.plan, billing.vcpus, billing.gib, billing.gpus) == (
        kind,
        "instance",
        8,
        32,
        int(gpus),
    )


def test_torch_computes_unless_told() -> None:
    assert (Settings.from_env(LOCAL).backend, Settings.from_env(LOCAL).cache) == ("torch", None)
    settings = Settings.from_env(LOCAL | {"BACKEND": "openvino", "CACHE_DIR": "/var/cache/cutout"})
    assert (settings.backend, settings.cache) == ("openvino", Path("/var/cache/cutout"))
    with pytest.raises(SettingsError, match="BACKEND"):
        Settings.from_env(LOCAL | {"BACKEND": "onnx"})


def test_precision_is_float32_unless_told() -> None:
    assert Settings.from_env(LOCAL).precision == "f32"
    assert Settings.from_env(LOCAL | {"PRECISION": "bf16"}).precision == "bf16"
    with pytest.raises(SettingsError, match="PRECISION"):
        Settings.from_env(LOCAL | {"PRECISION": "int8"})
