from __future__ import annotations

import pytest

from cloud.environment import SettingsError
from cloud.telemetry.settings import TelemetrySettings

PLACE = {"PROJECT": "cutout-test", "REGION": "europe-west4"}


def settings(**given: str) -> TelemetrySettings:
    return TelemetrySettings.from_env(PLACE | given, service="on_upload")


def test_everything_is_off_by_default() -> None:
    off = settings()
    assert (off.traces, off.metrics, off.on) == ("off", "off", False)
    assert (off.service, off.revision, off.flush) == ("on_upload", "local", 0)


@pytest.mark.parametrize("name", ["TRACES", "METRICS"])
def test_either_alone_is_on(name: str) -> None:
    assert settings(**{name: "console"}).on


def test_cloud_run_tells_the_name_and_a_flush_is_waited_for() -> None:
    there = settings(K_SERVICE="on-upload", K_REVISION="on-upload-00007", TRACES="cloud")
    assert (there.service, there.revision, there.flush) == ("on-upload", "on-upload-00007", 0.5)
    assert settings(K_SERVICE="on-upload", TELEMETRY_FLUSH_SECONDS="0").flush == 0


def test_the_collector_is_a_base_url() -> None:
    assert settings(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9/").collector == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRACES", "jaeger"),
        ("METRICS", "yes"),
        ("TRACES_SAMPLE_RATIO", "1.1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("METRICS_INTERVAL_SECONDS", "0"),
        ("TELEMETRY_FLUSH_SECONDS", "60"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings(**{name: value})
    assert list(refused.value.variables) == [name]
