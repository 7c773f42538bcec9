"""What people are told about an incident, whichever way it reaches them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from alerts.incident import Incident, Link
from alerts.mitigator import Mitigated
from alerts.text import line, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Announcement", "Fact", "Pages", "Phase", "of_incident", "unreadable"]

Phase = Literal["firing", "resolved", "test", "unreadable"]

_HEADS: Final[dict[Phase, str]] = {
    "firing": "Firing",
    "resolved": "Resolved",
    "test": "Test notification",
    "unreadable": "An alert that can't be read",
}
_SHORT: Final = 300
_LONG: Final = 1500
_RAW: Final = 2000
_MAX_LINKS: Final = 8
_MAX_NAME: Final = 80
_MAX_URL: Final = 1000


class Pages(msgspec.Struct, frozen=True, kw_only=True):
    """Where the operators' own pages are; empty where there are none. A policy's documentation may name better ones."""

    runbook: str = ""
    dashboard: str = ""


class Fact(NamedTuple):
    name: str
    text: str


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """One message, in no particular form. Every text is bounded and printable, and nothing in it is escaped yet."""

    key: str
    phase: Phase
    title: str
    facts: tuple[Fact, ...]
    text: str
    links: tuple[Link, ...] = ()
    actions: tuple[Mitigated, ...] = ()
    incident: Incident | None = None


def of_incident(
    incident: Incident, actions: tuple[Mitigated, ...], pages: Pages, *, key: str, now: datetime
) -> Announcement:
    phase: Phase = "test" if incident.test else "firing" if incident.open else "resolved"
    what = incident.policy or incident.condition or incident.summary or incident.id
    return Announcement(
        key=key,
        phase=phase,
        title=line(f"{_HEADS[phase]}: {what}", _SHORT),
        facts=tuple(Fact(name, line(text, _SHORT)) for name, text in _facts(incident, now) if text),
        text="\n\n".join(part for text in (incident.summary, incident.documentation) if (part := plain(text, _LONG))),
        links=_links(incident, pages),
        actions=actions,
        incident=incident,
    )


def unreadable(raw: bytes, problem: str, *, key: str) -> Announcement:
    """A message that is no incident we know of: whoever reads it may understand it all the same."""
    return Announcement(
        key=key,
        phase="unreadable",
        title=_HEADS["unreadable"],
        facts=(Fact("Problem", line(problem, _SHORT)), Fact("Bytes", str(len(raw)))),
        text=plain(raw[: 8 * _RAW].decode(errors="replace"), _RAW),
    )


def _facts(incident: Incident, now: datetime) -> Iterator[tuple[str, str]]:
    yield "Severity", "not given" if incident.severity == "none" else incident.severity
    yield "What", incident.condition
    yield "Since", _since(incident, now)
    yield "Observed", _observed(incident)
    yield "Metric", incident.metric
    yield "Resource", incident.resource


def _since(incident: Incident, now: datetime) -> str:
    if incident.started_at is None:
        return ""
    since = f"{_moment(incident.started_at)}, for {_spoken((incident.ended_at or now) - incident.started_at)}"
    return since if incident.ended_at is None else f"{since}, until {_moment(incident.ended_at)}"


def _observed(incident: Incident) -> str:
    """The value beside the threshold it crossed; a log-based alert has neither."""
    if not incident.threshold:
        return incident.observed
    relation = f"threshold {incident.comparison} {incident.threshold}".replace("  ", " ")
    return f"{incident.observed or 'no value'} ({relation})"


def _links(incident: Incident, pages: Pages) -> tuple[Link, ...]:
    """Runbook, then dashboard: the policy's own, else the operators'. Then its other links, and the incident's page."""
    ours = [Link(name="Runbook", url=pages.runbook), Link(name="Dashboard", url=pages.dashboard)]
    missing = [page for page in ours if not any(_is_called(link, page.name) for link in incident.links)]
    given = sorted((*missing, *incident.links), key=_rank)
    given.append(Link(name="Incident", url=incident.url))
    usable = [Link(name=line(link.name, _MAX_NAME), url=link.url) for link in given if _is_page(link.url)]
    return tuple(usable[:_MAX_LINKS])


def _rank(link: Link) -> int:
    return next((rank for rank, name in enumerate(("runbook", "dashboard")) if _is_called(link, name)), 2)


def _is_called(link: Link, name: str) -> bool:
    return name.lower() in link.name.lower()


def _is_page(url: str) -> bool:
    """Only what a browser opens as a page: a link from a message must not start anything else."""
    if len(url) > _MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _spoken(duration: timedelta) -> str:
    minutes = max(0, round(duration.total_seconds() / 60))
    if minutes < 1:
        return "less than a minute"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)
