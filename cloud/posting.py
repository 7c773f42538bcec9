"""JSON to an operator's own webhook.

Not for URLs that tenants choose: it connects wherever the URL says.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import requests
import urllib3

from events.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alerts.ports import Answer

__all__ = ["JsonPoster"]

_ANSWER_BYTES: Final = 65_536
_CHUNK_BYTES: Final = 4096


class _Answer(NamedTuple):
    """Field for field an `alerts.ports.Answer`, which this layer may not import."""

    status: int
    body: bytes


class JsonPoster:
    """`alerts.ports.Poster`. Follows no redirect, and takes no proxy or password from the environment.

    `patience` is in seconds: to connect, between two packets of an answer, and for as much of its body as is read.
    """

    def __init__(self, *, patience: float = 10.0) -> None:
        self._patience = patience

    def post(self, url: str, data: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer, of whatever status. Raises `TransientError` where none came in time.

        Errors never name the URL: in a chat's webhook it is the secret.
        """
        with requests.Session() as session:
            session.trust_env = False
            try:
                response = session.post(
                    url,
                    data=data,
                    headers={"Content-Type": "application/json; charset=utf-8", **headers},
                    timeout=self._patience,
                    allow_redirects=False,
                    stream=True,
                )
                with response:
                    return cast("Answer", _Answer(response.status_code, _beginning(response, self._patience)))
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise TransientError(f"no answer from the webhook ({type(error).__name__})") from None


def _beginning(response: requests.Response, seconds: float) -> bytes:
    """As much of the body as matters; one that is endless, or endlessly slow, is left."""
    deadline = time.monotonic() + seconds
    body = bytearray()
    while len(body) < _ANSWER_BYTES and time.monotonic() < deadline:
        chunk = response.raw.read1(_CHUNK_BYTES, decode_content=True)
        if not chunk:
            break
        body += chunk
    return bytes(body)
