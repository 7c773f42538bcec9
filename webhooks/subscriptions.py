"""Who wants to be told of which results, from the settings."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from events.messages import ReceiverName, Tenant
from webhooks.signing import check_secret
from webhooks.target import parse_target

__all__ = ["EventType", "Receiver", "Subscriptions", "Webhooks"]

EventType = Literal["cutout.result.completed.v1", "cutout.result.failed.v1"]


class Receiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One webhook. Several secrets are valid at once, so that they can rotate.

    Deliveries know a receiver by its name: a new URL or secret counts for what is under way, too.
    """

    name: ReceiverName
    url: str
    secrets: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=4)]
    events: Annotated[tuple[EventType, ...], msgspec.Meta(min_length=1)] = (
        "cutout.result.completed.v1",
        "cutout.result.failed.v1",
    )

    def __post_init__(self) -> None:
        parse_target(self.url, plain=True)
        for secret in self.secrets:
            check_secret(secret)

    def __repr__(self) -> str:
        return f"Receiver({self.name!r})"


Webhooks = dict[Tenant, tuple[Receiver, ...]]


class Subscriptions:
    """The receivers of all tenants."""

    def __init__(self, webhooks: Webhooks, *, plain: bool = False) -> None:
        """Raises `ValueError` for two receivers of one name, and for `http` URLs unless `plain` allows them."""
        self._receivers = {tenant: {each.name: each for each in receivers} for tenant, receivers in webhooks.items()}
        for tenant, receivers in webhooks.items():
            if len(self._receivers[tenant]) < len(receivers):
                raise ValueError(f"two receivers of {tenant} have the same name")
            for receiver in receivers:
                parse_target(receiver.url, plain=plain)

    def matching(self, tenant: str, event_type: str) -> tuple[Receiver, ...]:
        receivers = self._receivers.get(tenant, {}).values()
        return tuple(receiver for receiver in receivers if event_type in receiver.events)

    def find(self, tenant: str, name: str) -> Receiver | None:
        return self._receivers.get(tenant, {}).get(name)
