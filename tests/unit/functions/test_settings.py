from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import traceback
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest
from limits.strategies import MovingWindowRateLimiter

from cloud.environment import SettingsError
from cloud.redis_windows import RedisWindows
from functions import main
from functions.settings import ApiSettings, Settings
from functions.wiring import Parts
from tests.unit.examples import MODEL

COMMON: Final = {
    "PROJECT": "cutout-test",
    "REGION": "europe-west4",
    "UPLOADS_BUCKET": "uploads",
    "MATTES_BUCKET": "mattes",
    "RESULTS_BUCKET": "results",
    "JOBS_BUCKET": "jobs",
    "CONTENT_SECRET": base64.b64encode(b"s" * 32).decode(),
    "MODEL": MODEL,
}
TENANT: Final = {
    "name": "acme",
    "key_sha256": [hashlib.sha256(b"key").hexdigest()],
    "origins": ["https://shop.test"],
    "daily_cap_usd": "5.00",
}
API: Final = {"TENANTS": json.dumps([TENANT]), "PUBLIC_URL": "https://api.test/"}


def test_settings_are_read_from_the_environment() -> None:
    settings = Settings.from_env(COMMON)
    assert (settings.project, settings.buckets.results, settings.model) == ("cutout-test", "results", MODEL)
    assert settings.content_secret == b"s" * 32
    billing = settings.billing("function")
    assert (billing.plan, billing.kind, billing.region, billing.gpus) == ("function", "function", "europe-west4", 0)


def test_the_public_functions_know_the_storefronts() -> None:
    settings = ApiSettings.from_env(API)
    assert settings.public_url == "https://api.test"
    assert [(tenant.name, tenant.daily_cap_usd) for tenant in settings.tenants] == [("acme", Decimal(5))]


def test_every_missing_variable_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_env({})
    assert set(refusal.value.variables) == set(COMMON)


@pytest.mark.parametrize(
    ("name", "value"),
    [("MODEL", "../x"), ("CONTENT_SECRET", "c2hvcnQ="), ("FUNCTION_VCPUS", "many"), ("LOG_FORMAT", "xml")],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_env(COMMON | {name: value})
    assert set(refusal.value.variables) == {name}


@pytest.mark.parametrize(
    "change", [{"name": "Acme"}, {"key_sha256": []}, {"key_sha256": ["key"]}, {"key": "plain"}, {"daily_cap_usd": "x"}]
)
def test_a_tenant_that_breaks_the_rules_is_refused_without_showing_its_keys(change: dict[str, object]) -> None:
    with pytest.raises(SettingsError) as refusal:
        ApiSettings.from_env(API | {"TENANTS": json.dumps([TENANT | change])})
    assert set(refusal.value.variables) == {"TENANTS"}
    assert str(TENANT["key_sha256"]) not in str(refusal.value)


def test_what_is_no_function_is_not_found_as_one() -> None:
    asked_for = "delete_everything"
    with pytest.raises(AttributeError, match="is not one of the functions"):
        getattr(main, asked_for)


class TestTheRateLimitsStorage:
    @pytest.mark.parametrize("url", ["redis://:secret@10.0.0.3:port/0", "rediss://:secret@[10.0.0.3/0"])
    def test_that_is_none_is_named_without_its_password(self, url: str) -> None:
        with pytest.raises(SettingsError) as refusal:
            Parts(COMMON | {"RATE_LIMIT_STORAGE": url}).rate_limits("restyle")
        assert set(refusal.value.variables) == {"RATE_LIMIT_STORAGE"}
        assert "secret" not in "".join(traceback.format_exception(refusal.value))

    def test_is_the_moving_window_of_the_package_where_it_is_shared(self) -> None:
        windows = Parts(COMMON | {"RATE_LIMIT_STORAGE": "redis://10.0.0.3"}).rate_limits("restyle")._windows
        assert isinstance(windows, RedisWindows)
        assert isinstance(windows._limiter, MovingWindowRateLimiter)

    def test_has_its_packages_wherever_functions_are_installed(self) -> None:
        installed = (Path(main.__file__).parents[1] / "requirements" / "functions.txt").read_text()
        assert {"limits", "redis"} <= set(re.findall(r"^([\w-]+)==", installed, re.MULTILINE))


def test_the_light_functions_start_without_numpy_opencv_pillow_and_torch() -> None:
    """Their cold start is most of what a shopper waits for."""
    light = ("delete_job", "job_status", "on_upload", "request_upload", "restyle", "wiring")
    imports = "; ".join(f"import functions.{name}" for name in light)
    heavy = "sorted({'numpy', 'cv2', 'PIL', 'torch', 'limits', 'redis'} & set(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; {imports}; print({heavy})"], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"
