"""Announcements as Slack shows them, and whoever else takes Slack's messages.

Source: https://docs.slack.dev/reference/block-kit and https://docs.slack.dev/messaging/formatting-message-text.
`blocks` is what Slack shows; Mattermost, Rocket.Chat and Slack's own notifications show `text`, which says the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alerts.announcement import Announcement
    from alerts.incident import Link
    from alerts.mitigator import Mitigated

__all__ = ["MAX_HEADER", "MAX_SECTION", "escape", "slack_message"]

MAX_HEADER: Final = 150
MAX_SECTION: Final = 3000
_MAX_FIELDS: Final = 10

_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SIGNS: Final = {"critical": ":red_circle:", "error": ":large_orange_circle:", "warning": ":large_yellow_circle:"}


def escape(text: str) -> str:
    """Without it, `<!channel>` in a foreign text would call everybody."""
    return text.translate(_ESCAPES)


def slack_message(announcement: Announcement) -> dict[str, Any]:
    """The fields of an incoming webhook and of `chat.postMessage`, within Slack's limits."""
    body = _body(announcement)
    actions = _joined("\n", [_action(action) for action in announcement.actions])
    links = _joined("  |  ", [_link(link) for link in announcement.links])
    facts = [f"*{fact.name}*\n{escape(fact.text)}" for fact in announcement.facts]
    sections = [{"type": "section", "text": _mrkdwn(text)} for text in (body, actions, links) if text]
    title = f"{_sign(announcement)} {escape(announcement.title)}"
    lines = [f"*{title}*", *(fact.replace("\n", " ", 1) for fact in facts), body, actions, links]
    return {
        "text": "\n".join(line for line in lines if line),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": _cut(announcement.title, MAX_HEADER)}},
            {"type": "section", "fields": [_mrkdwn(fact) for fact in facts[:_MAX_FIELDS]]},
            *sections,
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _body(announcement: Announcement) -> str:
    text = escape(announcement.text)
    if announcement.phase != "unreadable" or not text:
        return _cut(text, MAX_SECTION)
    return f"```{_cut(text.replace('`', chr(0x2018)), MAX_SECTION - 6)}```"


def _action(action: Mitigated) -> str:
    """Texts of ours, but they hold names that were read from elsewhere."""
    line = f":wrench: *{action.status}*: {escape(_cut(action.text, 300))}"
    if not action.command:
        return line
    verb = "undo" if action.status in {"done", "requested"} else "by hand"
    return f"{line}\n{verb}: `{escape(action.command)}`"


def _link(link: Link) -> str:
    url = link.url.replace("|", "%7C").replace("<", "%3C").replace(">", "%3E").replace("&", "&amp;")
    return f"<{url}|{escape(link.name).replace('|', '/')}>"


def _joined(separator: str, parts: Sequence[str]) -> str:
    """As many of the parts as a section holds, none of them cut: half a link would be none."""
    joined = ""
    for part in parts:
        longer = f"{joined}{separator}{part}" if joined else part
        if len(longer) > MAX_SECTION:
            break
        joined = longer
    return joined


def _mrkdwn(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def _sign(announcement: Announcement) -> str:
    if announcement.phase == "resolved":
        return ":white_check_mark:"
    incident = announcement.incident
    return ":bell:" if incident is None or incident.test else _SIGNS.get(incident.severity, ":bell:")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
