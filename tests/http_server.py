"""HTTP servers of tests: on loopback, in threads of this process."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple, Self

from local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message
    from types import TracebackType

__all__ = ["Answer", "Asked", "HttpServer"]


class Asked(NamedTuple):
    """`headers` are found in any case. `at` in seconds of the epoch."""

    method: str
    path: str
    headers: Message
    body: bytes
    at: float


class Answer(NamedTuple):
    """`claims_length` is a Content-Length that is not the body's."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    claims_length: int | None = None


class HttpServer:
    """Gives every request, each in a thread of its own, the answer of `answer`. Use as a context manager."""

    def __init__(self, answer: Callable[[Asked], Answer], *, port: int = 0) -> None:
        class Handler(_Handler):
            def answer(self, asked: Asked) -> Answer:
                return answer(asked)

        self._server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.address = f"{LOOPBACK}:{self._server.server_port}"
        self.url = f"http://{self.address}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet

    def answer(self, asked: Asked) -> Answer:
        raise NotImplementedError

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.answer(Asked(self.command, self.path, self.headers, body, time.time()))
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        length = len(answer.body) if answer.claims_length is None else answer.claims_length
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection = length != len(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _take  # noqa: N815  # as it looks for them

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the base class
        """A test's output is its own."""
