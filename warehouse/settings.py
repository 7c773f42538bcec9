"""What the functions of the cost table read from the environment, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from cloud.environment import Environment
from jobs.costs import Billing

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ReconciliationSettings", "WarehouseSettings"]

_TABLE: Final = "cost_events"
_HOURS: Final = 24 * 8
"""A cost can be as late as a dead letter is replayed, and is in its hour's idle time as long as nobody looks again."""
_MOST_HOURS: Final = 24 * 30
"""Monitoring keeps Google's metrics for six weeks."""


@dataclass(frozen=True, slots=True)
class WarehouseSettings:
    """`deadline` in seconds: after it, a call to BigQuery starts no further attempt."""

    dataset: str
    deadline: float

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises `SettingsError` naming every variable that is missing or wrong."""
        env = Environment(environ)
        settings = cls(
            dataset=env.text("DATASET", default="cutout", pattern="[A-Za-z0-9_]{1,1024}"),
            deadline=env.number("BIGQUERY_DEADLINE_SECONDS", default=30.0, minimum=0.1, maximum=500),
        )
        env.check()
        return settings

    @property
    def table(self) -> str:
        return f"{self.dataset}.{_TABLE}"


@dataclass(frozen=True, slots=True)
class ReconciliationSettings:
    """`service` is the worker's Cloud Run service; `billings` are what its instances cost, one for each region.

    The last `look_back` is reconciled again at every run.
    """

    service: str
    billings: tuple[Billing, ...]
    look_back: timedelta

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises `SettingsError` naming every variable that is missing or wrong."""
        env = Environment(environ)
        vcpus = env.number("INSTANCE_VCPUS", default=8.0, minimum=0.08)
        gib = env.number("INSTANCE_GIB", default=32.0, minimum=0.125)
        gpus = env.integer("INSTANCE_GPUS", default=1, minimum=0, maximum=1)
        settings = cls(
            service=env.text("WORKER_SERVICE", pattern="[a-z][a-z0-9-]{0,62}"),
            billings=tuple(
                Billing(kind="idle", plan="instance", region=region, vcpus=vcpus, gib=gib, gpus=gpus)
                for region in env.csv("WORKER_REGIONS")
            ),
            look_back=timedelta(hours=env.integer("RECONCILED_HOURS", default=_HOURS, minimum=1, maximum=_MOST_HOURS)),
        )
        env.check()
        return settings
