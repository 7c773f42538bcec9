"""A backend bucket of Cloud CDN on loopback: it gives out objects to whoever has a signature that is right."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from tests.fakes import FakeStore

__all__ = ["loopback_cdn", "status_of"]


def status_of(url: str, keys: Mapping[str, str], now: datetime) -> HTTPStatus:
    """What the CDN says of a signed URL, with its keys as gcloud was given them, base64url.

    Source: https://cloud.google.com/cdn/docs/private-content
    """
    signed, _, signature = url.partition("&Signature=")
    given = parse_qs(urlsplit(signed).query, strict_parsing=True)
    key = keys.get(given["KeyName"][0])
    if key is None or now.timestamp() >= int(given["Expires"][0]):
        return HTTPStatus.FORBIDDEN
    made = hmac.new(base64.urlsafe_b64decode(key), signed.encode(), hashlib.sha1).digest()
    return HTTPStatus.OK if base64.urlsafe_b64encode(made).decode() == signature else HTTPStatus.FORBIDDEN


@contextmanager
def loopback_cdn(
    store: FakeStore, bucket: str, keys: Mapping[str, str], clock: Callable[[], datetime]
) -> Iterator[str]:
    """Its endpoint."""

    class Edge(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            status = HTTPStatus.FORBIDDEN
            if "Signature=" in query:
                status = status_of(f"http://{self.headers['Host']}{self.path}", keys, clock())
            stored = store.peek(bucket, unquote(path[1:])) if status == HTTPStatus.OK else None
            if status == HTTPStatus.OK and stored is None:
                status = HTTPStatus.NOT_FOUND
            self.send_response(status)
            self.send_header("Content-Length", str(len(stored.data) if stored else 0))
            if stored is not None:
                self.send_header("Content-Type", stored.stat.content_type)
            self.end_headers()
            self.wfile.write(stored.data if stored else b"")

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is its own."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Edge) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
