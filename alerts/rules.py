"""Which alert policy has which mitigation: the operator's settings decide, and nothing that an incident says.

An incident only names its policy. What is done, to which service and how much of it, stands in the rule.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from events.patterns import whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from alerts.incident import Incident

__all__ = ["FRESH", "CapInstances", "PauseWarming", "Rollback", "Rule", "is_fresh", "rules_for"]

FRESH: Final = timedelta(minutes=30)
"""An incident that began longer ago changes nothing any more: somebody may have mended the service meanwhile."""

Policy = Annotated[str, msgspec.Meta(min_length=1, max_length=512, description="display name of the alert policy")]
Service = Annotated[str, msgspec.Meta(pattern=whole("[a-z]([a-z0-9-]{0,47}[a-z0-9])?"), description="Cloud Run")]


class Rollback(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="action", tag="rollback"
):
    """All traffic of a Cloud Run service back to its previous healthy revision."""

    policy: Policy
    service: Service

    @property
    def slug(self) -> str:
        return f"rollback-{self.service}"


class PauseWarming(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="action", tag="pause_warming"
):
    """No worker is warmed up for some time."""

    policy: Policy
    minutes: Annotated[int, msgspec.Meta(ge=1, le=10_080)] = 120

    @property
    def slug(self) -> str:
        return "pause-warming"


class CapInstances(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="action", tag="cap_instances"
):
    """At most so many instances of a Cloud Run service. Only ever lowers a limit."""

    policy: Policy
    service: Service
    instances: Annotated[int, msgspec.Meta(ge=1, le=1000)]

    @property
    def slug(self) -> str:
        return f"cap-instances-{self.service}"


Rule = Rollback | PauseWarming | CapInstances


def rules_for(incident: Incident, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """What is to be done about an incident: nothing for a test message, or once it is over."""
    if incident.test or not incident.open:
        return ()
    return tuple(rule for rule in rules if rule.policy == incident.policy)


def is_fresh(incident: Incident, now: datetime) -> bool:
    return incident.started_at is None or now - incident.started_at <= FRESH
