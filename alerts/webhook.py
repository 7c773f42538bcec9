"""Announcements as JSON, for receivers of no particular kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alerts.text import line

if TYPE_CHECKING:
    from alerts.announcement import Announcement

__all__ = ["VERSION", "webhook_message"]

VERSION: Final = 1
"""Raised where a field changes its meaning or goes; new fields may come at any time."""

_BOUND: Final = 512


def webhook_message(announcement: Announcement) -> dict[str, Any]:
    """`key` is the same for all messages about one incident; `incident` is null where it could not be read.

    Texts are bounded and printable, but foreign: escape them where they are shown.
    """
    incident = announcement.incident
    return {
        "version": VERSION,
        "key": announcement.key,
        "phase": announcement.phase,
        "title": announcement.title,
        "text": announcement.text,
        "facts": {fact.name.lower(): fact.text for fact in announcement.facts},
        "links": announcement.links,
        "actions": announcement.actions,
        "incident": None
        if incident is None
        else {
            "id": line(incident.id, _BOUND),
            "project": line(incident.project, _BOUND),
            "policy": line(incident.policy, _BOUND),
            "severity": incident.severity,
            "started_at": incident.started_at,
            "ended_at": incident.ended_at,
        },
    }
