"""A way to a server that can be barred: as long as it is, every request is answered 503."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final, Self

import httpx

from local.ports import LOOPBACK

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Proxy"]

_HOP_BY_HOP: Final = {"connection", "content-encoding", "content-length", "host", "transfer-encoding"}


class Proxy:
    """Use as a context manager. `target` may be set after it was opened."""

    def __init__(self) -> None:
        self.target = ""
        self.barred = threading.Event()
        self.refused = 0
        self._lock = threading.Lock()
        self._client = httpx.Client(timeout=30, trust_env=False)
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"

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
        self._client.close()

    def _forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        if self.barred.is_set():
            with self._lock:
                self.refused += 1
            return httpx.Response(503, content=b"{}")
        return self._client.request(method, f"{self.target}{path}", headers=headers, content=body)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
                headers["Content-Encoding"] = self.headers.get("Content-Encoding", "identity")
                response = proxy._forward(self.command, self.path, headers, body)
                self.send_response(response.status_code)
                for name, value in response.headers.items():
                    if name.lower() not in _HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(response.content)))
                self.end_headers()
                self.wfile.write(response.content)

            do_GET = do_POST = do_PUT = do_DELETE = pass_on  # noqa: N815  # the names that http.server looks for

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name for it
                pass

        return Handler
