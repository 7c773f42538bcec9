"""The receivers of these tests in one server: Slack's Web API, an incoming webhook, and a webhook of no kind."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from local.ports import LOOPBACK

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["PATIENCE", "Chat", "Shown"]

PATIENCE = 60.0


class Shown(NamedTuple):
    """Messages of the app, as they are now, of the incoming webhook, and of the webhook."""

    app: list[dict[str, Any]]
    incoming: list[dict[str, Any]]
    hooked: list[dict[str, Any]]

    @property
    def counts(self) -> tuple[int, int, int]:
        return len(self.app), len(self.incoming), len(self.hooked)


class Chat:
    """Use as a context manager. `messages` is what the Slack channel shows, by timestamp, as it is now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        self.messages: dict[str, dict[str, Any]] = {}
        self.updates = 0
        self.incoming: list[dict[str, Any]] = []
        self.hooked: list[dict[str, Any]] = []
        self.refusals: dict[str, int] = {}
        self.asked: list[tuple[str, str | None]] = []

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

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
        deadline = time.monotonic() + PATIENCE
        while len((shown := self.about(text)).hooked) < hooked:
            assert time.monotonic() < deadline, f"still {shown}"
            time.sleep(0.02)
        return shown

    def _take(self, path: str, message: dict[str, Any], authorization: str | None) -> tuple[int, bytes]:
        with self._lock:
            self.asked.append((path, authorization))
            if self.refusals.get(path, 0) > 0:
                self.refusals[path] -= 1
                return 503, b"try later"
            if path == "/api/chat.postMessage":
                ts = f"{len(self.messages) + 1}.0"
                self.messages[ts] = message
                return 200, json.dumps({"ok": True, "channel": message["channel"], "ts": ts}).encode()
            if path == "/api/chat.update":
                if message["ts"] not in self.messages:
                    return 200, b'{"ok": false, "error": "message_not_found"}'
                self.updates += 1
                self.messages[message["ts"]] = message
                return 200, json.dumps({"ok": True, "channel": "C1", "ts": message["ts"]}).encode()
            (self.hooked if path == "/hook" else self.incoming).append(message)
            return 200, b"ok"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, body = chat._take(self.path, message, self.headers.get("Authorization"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the base class
                pass

        return Handler
