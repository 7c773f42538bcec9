"""Unit tests know no cloud, whatever the environment of the machine says, and no project's settings."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import settings

_CLOUD: Final = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "K_REVISION",
    "K_SERVICE",
    "METRICS",
    "PUBSUB_EMULATOR_HOST",
    "STORAGE_EMULATOR_HOST",
    "TRACES",
)

settings.register_profile("unit", max_examples=50, deadline=None, database=None)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def no_cloud(monkeypatch: pytest.MonkeyPatch, restored_environment: None) -> None:
    for name in _CLOUD:
        monkeypatch.delenv(name, raising=False)
