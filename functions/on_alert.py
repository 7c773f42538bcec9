"""An alert of Cloud Monitoring: tell people, and do what the operators chose for its policy."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import msgspec

from alerts.announcement import Pages
from alerts.desk import AlertDesk
from alerts.mitigator import Mitigator
from alerts.receivers import Messenger, Receiver
from alerts.rules import CapInstances, Rollback, Rule
from cloud.environment import Environment, SettingsError
from cloud.posting import JsonPoster
from events.errors import InvalidMessageError
from events.messages import PubsubPush
from events.validation import convert
from jobs.claims import Claims
from jobs.flags import Flags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudevents.http import CloudEvent

    from alerts.ports import RunAdmin
    from functions.wiring import Parts

__all__ = ["AlertSettings", "OnAlert", "build"]


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """`receivers` hold secrets. `region` is that of the services that `rules` are about, empty where there are none."""

    receivers: tuple[Receiver, ...]
    rules: tuple[Rule, ...]
    region: str
    pages: Pages
    dry_run: bool

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises `SettingsError` naming every variable that is missing or wrong."""
        env = Environment(environ)
        rules = env.json("ALERT_MITIGATIONS", tuple[Rule, ...], default=()) or ()
        of_services = any(isinstance(rule, Rollback | CapInstances) for rule in rules)
        settings = cls(
            receivers=env.json("ALERT_RECEIVERS", tuple[Receiver, ...], default=()),
            rules=rules,
            region=env.text("WORKER_REGION", default=None if of_services else ""),
            pages=env.json("ALERT_PAGES", Pages, default=Pages()),
            dry_run=env.boolean("ALERT_DRY_RUN", default=False),
        )
        env.check()
        names = [receiver.name for receiver in settings.receivers]
        if len(set(names)) < len(names):
            raise SettingsError({"ALERT_RECEIVERS": "must give each receiver a name of its own"})
        return settings


class OnAlert:
    def __init__(self, desk: AlertDesk) -> None:
        self._desk = desk

    def __call__(self, event: CloudEvent) -> None:
        """Raises `TransientError` where the message has to come again."""
        try:
            message = convert(event.data, PubsubPush).message
        except InvalidMessageError as error:
            self._desk.pass_on(msgspec.json.encode(event.data), str(error))
        else:
            self._desk.handle(message.data, message_id=message.message_id)


def build(parts: Parts) -> Callable[[CloudEvent], None]:
    """The Cloud Function."""
    settings = AlertSettings.from_env(parts.environ)
    desk, bucket = parts.desk, parts.settings.buckets.jobs

    @functools.cache
    def run() -> RunAdmin:
        from cloud.run import GoogleRunAdmin  # noqa: PLC0415  # a second of import that few alerts need

        return GoogleRunAdmin.connect(project=parts.settings.project, region=settings.region, breakers=parts.breakers)

    mitigator = Mitigator(
        run,
        Flags(desk.store, bucket, desk.clock),
        desk.clock,
        region=settings.region,
        dry_run=settings.dry_run,
    )
    return OnAlert(
        AlertDesk(
            desk.store,
            bucket,
            desk.clock,
            Claims(desk.store, bucket, desk.clock),
            mitigator,
            Messenger(JsonPoster(), parts.breakers),
            receivers=settings.receivers,
            rules=settings.rules,
            pages=settings.pages,
        )
    )
