"""Incidents as Cloud Monitoring publishes them, decoded into what an announcement needs.

Source: https://cloud.google.com/monitoring/support/notification-options, Pub/Sub, schema version 1.2. The console's
"send test notification" has version `test`, state `OPEN`, times of 0, and `documentation` as plain text.

Only what is shown or decided on is read; whatever else a notification holds, or leaves out, does no harm.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec

from events.patterns import whole
from events.validation import decode_json

__all__ = ["Incident", "Link", "Severity", "decode_incident"]

Severity = Literal["critical", "error", "warning", "none"]

_SEVERITIES: Final[dict[str, Severity]] = {"critical": "critical", "error": "error", "warning": "warning"}
_COMPARISONS: Final = {
    "COMPARISON_GT": ">",
    "COMPARISON_GE": "≥",
    "COMPARISON_LT": "<",
    "COMPARISON_LE": "≤",
    "COMPARISON_EQ": "=",
    "COMPARISON_NE": "≠",
}
_LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999, the last that `datetime` knows."""

_Text = str | None
_Value = str | int | float | None
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=_LAST_SECOND)] | Annotated[float, msgspec.Meta(ge=0, le=_LAST_SECOND)]


class Link(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    url: str


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """Texts are as they came, unbounded and unescaped; one that was not given is empty."""

    id: str
    project: str
    test: bool
    open: bool
    severity: Severity
    policy: str
    condition: str
    summary: str
    started_at: datetime | None
    ended_at: datetime | None
    observed: str
    threshold: str
    comparison: str
    metric: str
    resource: str
    url: str
    documentation: str
    links: tuple[Link, ...]

    @property
    def key(self) -> str:
        """32 hex digits that name the incident in our objects and towards receivers."""
        return hashlib.sha256(f"{self.project}\x1f{self.id}".encode()).hexdigest()[:32]


def decode_incident(data: bytes) -> Incident:
    """The incident in a message of the alerts topic.

    Raises `InvalidMessageError` for anything else, such as a schema of another major version.
    """
    notification = decode_json(data, _Notification)
    told = notification.incident
    resource = told.resource or _Resource()
    metric = told.metric or _Metric()
    documentation = told.documentation
    if not isinstance(documentation, _Documentation):
        documentation = _Documentation(content=documentation)
    threshold = (told.condition or _Condition()).threshold or _Threshold()
    return Incident(
        id=told.incident_id,
        project=told.scoping_project_id or "",
        test=notification.version == "test",
        open=told.state.lower() == "open",
        severity=_severity(told),
        policy=told.policy_name or "",
        condition=told.condition_name or "",
        summary=told.summary or "",
        started_at=_moment(told.started_at),
        ended_at=_moment(told.ended_at),
        observed=_value(told.observed_value),
        threshold=_value(told.threshold_value) or _value(threshold.value),
        comparison=_COMPARISONS.get(threshold.comparison or "", ""),
        metric=metric.display_name or metric.type or "",
        resource=told.resource_name or resource.described(),
        url=told.url or "",
        documentation=documentation.content or "",
        links=documentation.named_links(),
    )


class _Resource(msgspec.Struct, frozen=True, kw_only=True):
    type: _Text = None
    labels: dict[str, str] | None = None

    def described(self) -> str:
        labels = ", ".join(f"{name}={value}" for name, value in (self.labels or {}).items())
        return " ".join(part for part in (self.type or "", labels) if part)


class _Metric(msgspec.Struct, frozen=True, kw_only=True):
    type: _Text = None
    display_name: _Text = msgspec.field(default=None, name="displayName")


class _Link(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    display_name: _Text = msgspec.field(default=None, name="displayName")


class _Documentation(msgspec.Struct, frozen=True, kw_only=True):
    content: _Text = None
    links: tuple[_Link, ...] | None = None

    def named_links(self) -> tuple[Link, ...]:
        return tuple(Link(name=link.display_name or link.url, url=link.url) for link in self.links or ())


class _Threshold(msgspec.Struct, frozen=True, kw_only=True):
    comparison: _Text = None
    value: _Value = msgspec.field(default=None, name="thresholdValue")


class _Condition(msgspec.Struct, frozen=True, kw_only=True):
    threshold: _Threshold | None = msgspec.field(default=None, name="conditionThreshold")


class _Incident(msgspec.Struct, frozen=True, kw_only=True):
    incident_id: Annotated[str, msgspec.Meta(min_length=1)]
    state: Annotated[str, msgspec.Meta(pattern=whole("(open|closed|OPEN|CLOSED)"))]
    scoping_project_id: _Text = None
    url: _Text = None
    severity: _Text = None
    started_at: _Seconds | None = None
    ended_at: _Seconds | None = None
    summary: _Text = None
    resource: _Resource | None = None
    resource_name: _Text = None
    metric: _Metric | None = None
    policy_name: _Text = None
    policy_user_labels: dict[str, str] | None = None
    condition_name: _Text = None
    condition: _Condition | None = None
    threshold_value: _Value = None
    observed_value: _Value = None
    documentation: str | _Documentation | None = None


class _Notification(msgspec.Struct, frozen=True, kw_only=True):
    version: Annotated[str, msgspec.Meta(pattern=whole(r"(test|1\.[0-9]{1,3})"))]
    incident: _Incident


def _severity(told: _Incident) -> Severity:
    """The incident's own, or, where a policy says it by a label as was usual before, that label."""
    label = (told.policy_user_labels or {}).get("severity", "")
    for text in (told.severity or "", label):
        if text.lower() in _SEVERITIES:
            return _SEVERITIES[text.lower()]
    return "none"


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _value(value: _Value) -> str:
    return "" if value is None else str(value)
