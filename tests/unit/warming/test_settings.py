from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from cloud.environment import SettingsError
from functions.warming_settings import PrecomputeSettings, WarmingSettings
from planner.intents import DEFAULT_STAGES
from planner.policy import Policy


def test_without_any_variable_warming_is_economic_with_the_defaults() -> None:
    settings = WarmingSettings.from_env({})
    assert settings.policy == Policy(stages=dict(DEFAULT_STAGES))
    assert settings.service == ""


def test_every_variable_is_read() -> None:
    stages = '{"hover": {"likelihood": 0.5, "seconds": 10, "prompt": true}}'
    settings = WarmingSettings.from_env(
        {
            "WARMING_POLICY": "schedule",
            "WARMING_USD_PER_SECOND": "0.02",
            "WARMING_DAILY_USD": "2.50",
            "WARMING_INTENTS_SHARE": "0.1",
            "WARMING_EVERY_MINUTES": "10",
            "WARMING_FIRST_HOUR": "9",
            "WARMING_LAST_HOUR": "17",
            "WARMING_ZONE": "Europe/Berlin",
            "WARMING_TICK_SECONDS": "120",
            "WARMING_STAGES": stages,
            "WARMING_PRIOR_JOBS_PER_HOUR": "3",
            "INSTANCE_VCPUS": "4",
            "INSTANCE_GIB": "16",
            "INSTANCE_GPUS": "1",
            "EXPECTED_COLD_START_SECONDS": "16.4",
            "WORKER_SERVICE": "gpu-worker",
            "WORKER_REGION": "europe-west4",
        }
    )
    policy = settings.policy
    assert (policy.name, policy.usd_per_second_waited, policy.tick_seconds) == ("schedule", 0.02, 120)
    assert (policy.budget.daily_usd, policy.budget.intents_share) == (Decimal("2.50"), Decimal("0.1"))
    assert (policy.schedule.every_minutes, policy.schedule.first_hour, policy.schedule.last_hour) == (10, 9, 17)
    assert policy.schedule.zone == "Europe/Berlin"
    assert policy.stages["hover"].likelihood == 0.5
    assert policy.stages["page_view"] == DEFAULT_STAGES["page_view"]
    assert (policy.worker.vcpus, policy.worker.gib, policy.worker.cold_start_seconds) == (4, 16, 16.4)
    assert (settings.prior.jobs_per_hour, settings.service, settings.region) == (3, "gpu-worker", "europe-west4")


def test_a_service_is_in_a_region_of_its_own() -> None:
    with pytest.raises(SettingsError) as refused:
        WarmingSettings.from_env({"WORKER_SERVICE": "gpu-worker", "REGION": "us-central1"})
    assert list(refused.value.variables) == ["WORKER_REGION"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WARMING_POLICY", "always"),
        ("WARMING_USD_PER_SECOND", "-0.01"),
        ("WARMING_DAILY_USD", "five"),
        ("WARMING_INTENTS_SHARE", "0.31"),
        ("WARMING_ZONE", "Mars/Olympus"),
        ("WARMING_ZONE", "../etc/passwd"),
        ("WARMING_EVERY_MINUTES", "0"),
        ("WARMING_STAGES", '{"bought": {"likelihood": 1, "seconds": 1, "prompt": true}}'),
        ("WARMING_STAGES", '{"hover": {"likelihood": 1.5, "seconds": 10, "prompt": true}}'),
        ("EXPECTED_COLD_START_SECONDS", "0"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        WarmingSettings.from_env({name: value})
    assert list(refused.value.variables) == [name]


def test_precomputing_has_settings_of_its_own() -> None:
    usual = PrecomputeSettings.from_env({})
    assert usual.daily_usd == Decimal("0.10")
    settings = PrecomputeSettings.from_env(
        {
            "PRECOMPUTE_DAILY_USD": "1",
            "PRECOMPUTE_RECIPES": "2",
            "PRECOMPUTE_MINIMUM_REQUESTS": "50",
            "PRECOMPUTE_DEMAND_DAYS": "14",
            "PRECOMPUTE_PHOTO_DAYS": "1",
            "EXPECTED_RENDER_SECONDS": "0.5",
        }
    )
    assert (settings.recipes, settings.requests, settings.seconds_a_recipe) == (2, 50, 0.5)
    assert (settings.demand_age, settings.photo_age) == (timedelta(days=14), timedelta(days=1))
    with pytest.raises(SettingsError, match="PRECOMPUTE_RECIPES"):
        PrecomputeSettings.from_env({"PRECOMPUTE_RECIPES": "9"})
