"""The receivers of these tests in one server: Slack's Web API, an incoming webhook, and a webhook of no kind."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.http_server import Answer, HttpServer
from tests.waiting import until

if TYPE_CHECKING:
    from tests.http_server import Asked

__all__ = ["Chat", "Shown"]


class Shown(NamedTuple):
    """Messages of the app, as they are now, of the incoming webhook, and of the webhook."""

    app: list[dict[str, Any]]
    incoming: list[dict[str, Any]]
    hooked: list[dict[str, Any]]

    @property
    def counts(self) -> tuple[int, int, int]:
        return len(self.app), len(self.incoming), len(self.hooked)


class Chat(HttpServer):
    """`messages` is what the Slack channel shows, by timestamp, as it is now."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self._lock = threading.Lock()
        self.messages: dict[str, dict[str, Any]] = {}
        self.updates = 0
        self.incoming: list[dict[str, Any]] = []
        self.hooked: list[dict[str, Any]] = []
        self.refusals: dict[str, int] = {}
        self.asked: list[tuple[str, str | None]] = []

    def settings(self) -> str:
        """`ALERT_RECEIVERS` of a function that tells all three."""
        return json.dumps(
            [
                {"kind": "slack_app", "name": "app", "token": "xoxb-1", "channel": "C1", "url": f"{self.url}/api"},
                {"kind": "slack_webhook", "name": "chat", "url": f"{self.url}/services/T/B/x"},
                {"kind": "webhook", "name": "hook", "url": f"{self.url}/hook", "token": "t0ken"},
            ]
        )

    def refuse(self, path: str, times: int) -> None:
        """Answer 503 to the next calls of that path."""
        with self._lock:
            self.refusals[path] = times

    def about(self, text: str) -> Shown:
        """What each receiver shows with that text in it."""
        with self._lock:
            everything = (list(self.messages.values()), self.incoming, self.hooked)
            return Shown(*([one for one in shown if text in json.dumps(one)] for shown in everything))

    def wait_for(self, text: str, *, hooked: int) -> Shown:
        """Until the webhook, which is told last, has that many messages with that text."""
        return until(lambda: self.about(text), lambda shown: len(shown.hooked) >= hooked)

    def _answer(self, asked: Asked) -> Answer:
        path, message = asked.path, json.loads(asked.body)
        with self._lock:
            self.asked.append((path, asked.headers["Authorization"]))
            if self.refusals.get(path, 0) > 0:
                self.refusals[path] -= 1
                return Answer(503, b"try later")
            if path == "/api/chat.postMessage":
                ts = f"{len(self.messages) + 1}.0"
                self.messages[ts] = message
                return _said({"ok": True, "channel": message["channel"], "ts": ts})
            if path == "/api/chat.update":
                if message["ts"] not in self.messages:
                    return _said({"ok": False, "error": "message_not_found"})
                self.updates += 1
                self.messages[message["ts"]] = message
                return _said({"ok": True, "channel": "C1", "ts": message["ts"]})
            (self.hooked if path == "/hook" else self.incoming).append(message)
            return Answer(200, b"ok")


def _said(body: dict[str, Any]) -> Answer:
    return Answer(200, json.dumps(body).encode())
