"""A backend bucket of Cloud CDN on loopback: it gives out objects to whoever has a signature that is right."""

from __future__ import annotations

import base64
import hashlib
import hmac
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from tests.http_server import Answer, HttpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from tests.fakes import FakeStore
    from tests.http_server import Asked

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

    def answer(asked: Asked) -> Answer:
        path, _, query = asked.path.partition("?")
        status = HTTPStatus.FORBIDDEN
        if "Signature=" in query:
            status = status_of(f"http://{asked.headers['Host']}{asked.path}", keys, clock())
        if status != HTTPStatus.OK:
            return Answer(status)
        stored = store.peek(bucket, unquote(path[1:]))
        if stored is None:
            return Answer(HTTPStatus.NOT_FOUND)
        return Answer(status, stored.data, (("Content-Type", stored.stat.content_type),))

    with HttpServer(answer) as server:
        yield server.url
