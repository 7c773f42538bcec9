from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cloud.environment import SettingsError
from functions.reconcile_idle import whole_hours
from warehouse.settings import ReconciliationSettings, WarehouseSettings

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_the_table_has_a_name_without_any_setting() -> None:
    assert WarehouseSettings.from_env({}).table == "cutout.cost_events"


def test_every_wrong_variable_is_named() -> None:
    with pytest.raises(SettingsError) as error:
        WarehouseSettings.from_env({"DATASET": "my-data", "BIGQUERY_DEADLINE_SECONDS": "soon"})
    assert set(error.value.variables) == {"DATASET", "BIGQUERY_DEADLINE_SECONDS"}
    with pytest.raises(SettingsError) as error:
        ReconciliationSettings.from_env({"RECONCILED_HOURS": "0", "WORKER_SERVICE": 'x" OR "'})
    assert set(error.value.variables) == {"WORKER_SERVICE", "WORKER_REGIONS", "RECONCILED_HOURS"}


def test_the_worker_is_billed_as_an_instance_in_each_of_its_regions() -> None:
    settings = ReconciliationSettings.from_env(
        {"WORKER_SERVICE": "worker", "WORKER_REGIONS": "r, s", "INSTANCE_GPUS": "0"}
    )
    assert [(each.region, each.plan, each.gpus, each.vcpus) for each in settings.billings] == [
        ("r", "instance", 0, 8.0),
        ("s", "instance", 0, 8.0),
    ]
    assert settings.look_back > timedelta(days=7), "a dead letter with a cost can be replayed for a week"


@pytest.mark.parametrize(("minute", "until"), [(4, 11), (5, 12), (59, 12)])
def test_an_hour_is_looked_at_five_minutes_after_its_end(minute: int, until: int) -> None:
    since, found = whole_hours(NOON + timedelta(minutes=minute), timedelta(hours=3))
    assert found == NOON.replace(hour=until)
    assert since == found - timedelta(hours=3)
