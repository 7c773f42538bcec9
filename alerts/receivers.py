"""Who is told, and how each of them takes it: Slack's incoming webhooks, a Slack app, any webhook.

An incoming webhook can only add messages and doesn't say which one it added, so the end of an incident is a message of
its own there. A Slack app learns its message's timestamp, so that very message is updated. A webhook of no particular
kind gets the incident's key with every message, to thread or replace them as it can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from alerts.records import Receipt
from alerts.slack import slack_message
from alerts.webhook import webhook_message
from events.errors import TransientError
from events.patterns import whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from alerts.announcement import Announcement
    from alerts.ports import Answer, Poster
    from cloud.breaker import Breakers

__all__ = ["Messenger", "Receiver", "SlackApp", "SlackWebhook", "Webhook"]

Name = Annotated[str, msgspec.Meta(pattern=whole("[a-z0-9][a-z0-9-]{0,31}"), description="unique among receivers")]
Url = Annotated[
    str,
    msgspec.Meta(
        pattern=whole(r"(https://|http://(127\.0\.0\.1|localhost)[:/])[!-~]+"), description="HTTPS, but on this machine"
    ),
]

_CANT_UPDATE: Final = frozenset({"cant_update_message", "edit_window_closed", "message_not_found"})
"""What `chat.update` answers about a message that is gone or too old."""


class SlackWebhook(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="slack_webhook"
):
    """An incoming webhook of Slack, or of a chat that takes Slack's messages. Its URL is a secret."""

    name: Name
    url: Url


class SlackApp(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="slack_app"
):
    """A bot token with the scope `chat:write`, and the id of a channel that the bot is in."""

    name: Name
    token: Annotated[str, msgspec.Meta(min_length=1)]
    channel: Annotated[str, msgspec.Meta(min_length=1)]
    url: Url = "https://slack.com/api"


class Webhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="webhook"):
    """Anything that takes JSON; with a token, that goes along as a bearer token."""

    name: Name
    url: Url
    token: str = ""


Receiver = SlackWebhook | SlackApp | Webhook


class _SlackAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Source: https://docs.slack.dev/reference/methods/chat.postMessage."""

    ok: bool
    error: str = ""
    channel: str = ""
    ts: str = ""


class Messenger:
    """Sends announcements, each receiver's way. Each receiver has a circuit: one that keeps failing holds up nobody."""

    def __init__(self, poster: Poster, breakers: Breakers) -> None:
        self._poster = poster
        self._breakers = breakers

    def tell(self, receiver: Receiver, announcement: Announcement, earlier: Receipt | None) -> Receipt:
        """`earlier` is the receipt of the message that said the incident is firing.

        Raises `TransientError` where the receiver did not take it, for whatever reason: somebody has to hear of it.
        """
        with self._breakers.call(f"alert:{receiver.name}"):
            return self._tell(receiver, announcement, earlier)

    def _tell(self, receiver: Receiver, announcement: Announcement, earlier: Receipt | None) -> Receipt:
        if isinstance(receiver, SlackApp):
            return self._tell_slack_app(receiver, announcement, earlier)
        if isinstance(receiver, SlackWebhook):
            self._post(receiver, receiver.url, slack_message(announcement), {})
            return Receipt()
        headers = {"Idempotency-Key": f"{announcement.key}-{announcement.phase}"}
        if receiver.token:
            headers["Authorization"] = f"Bearer {receiver.token}"
        self._post(receiver, receiver.url, webhook_message(announcement), headers)
        return Receipt()

    def _tell_slack_app(self, receiver: SlackApp, announcement: Announcement, earlier: Receipt | None) -> Receipt:
        message = slack_message(announcement)
        if earlier is not None and earlier.ts:
            place = {"channel": earlier.channel, "ts": earlier.ts}
            answer = self._call_slack(receiver, "chat.update", place | message)
            if answer.ok or answer.error not in _CANT_UPDATE:
                return _receipt(receiver, answer)
        answer = self._call_slack(receiver, "chat.postMessage", {"channel": receiver.channel} | message)
        return _receipt(receiver, answer)

    def _call_slack(self, receiver: SlackApp, method: str, arguments: dict[str, Any]) -> _SlackAnswer:
        headers = {"Authorization": f"Bearer {receiver.token}"}
        answer = self._post(receiver, f"{receiver.url}/{method}", arguments, headers)
        try:
            return msgspec.json.decode(answer.body, type=_SlackAnswer)
        except msgspec.MsgspecError as error:
            raise TransientError(f"receiver {receiver.name} does not answer as Slack does") from error

    def _post(self, receiver: Receiver, url: str, message: object, headers: Mapping[str, str]) -> Answer:
        answer = self._poster.post(url, msgspec.json.encode(message), headers)
        if not 200 <= answer.status < 300:
            body = answer.body[:200].decode(errors="replace")
            raise TransientError(f"receiver {receiver.name} answered {answer.status}: {body}", status=answer.status)
        return answer


def _receipt(receiver: SlackApp, answer: _SlackAnswer) -> Receipt:
    if not answer.ok:
        raise TransientError(f"receiver {receiver.name} answered {answer.error}", error=answer.error)
    return Receipt(channel=answer.channel, ts=answer.ts)
