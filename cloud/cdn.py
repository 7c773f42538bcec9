"""Signed URLs of Cloud CDN for what a backend bucket gives out, as a `UrlSigner`.

    https://HOST/NAME?Expires=SECONDS&KeyName=KEY&Signature=...

The signature is the HMAC-SHA1, by a key of 128 bits that the CDN has too, of the whole URL before it. So signing is
local: a URL of the bucket needs a call of IAM. Source: https://cloud.google.com/cdn/docs/using-signed-urls
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from jobs.ports import Clock, UrlSigner

__all__ = ["KEY_PATTERN", "CdnKey", "CdnUrlSigner"]

KEY_PATTERN: Final = "[a-z]([a-z0-9-]{0,61}[a-z0-9])?:[A-Za-z0-9_-]{22}=="
"""NAME:KEY. The name is in the same secret as the key, since one without the other signs nothing that is good."""


@dataclass(frozen=True, slots=True)
class CdnKey:
    """`secret` is 16 bytes; `name` is what the backend bucket calls it. A backend bucket takes up to three."""

    name: str
    secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> CdnKey:
        """Of text that matches `KEY_PATTERN`: the key as in the file that gcloud is given, base64url."""
        name, _, secret = text.partition(":")
        return cls(name, base64.urlsafe_b64decode(secret))

    def sign(self, url: str) -> str:
        signature = hmac.digest(self.secret, url.encode("ascii"), "sha1")
        return base64.urlsafe_b64encode(signature).decode()


class CdnUrlSigner:
    """`jobs.ports.UrlSigner`. Thread-safe.

    URLs for GET of objects in `bucket` begin with `endpoint`, scheme and host, whose paths are the objects' names. All
    others, and those for PUT, are `origin`'s.
    """

    def __init__(self, key: CdnKey, origin: UrlSigner, *, endpoint: str, bucket: str, clock: Clock) -> None:
        self._key = key
        self._origin = origin
        self._endpoint = endpoint.rstrip("/")
        self._bucket = bucket
        self._clock = clock

    def put_url(self, bucket: str, name: str, *, expires_in: timedelta, headers: Mapping[str, str]) -> str:
        """A URL of the bucket itself: the CDN takes no uploads."""
        return self._origin.put_url(bucket, name, expires_in=expires_in, headers=headers)

    def get_url(self, bucket: str, name: str, *, expires_in: timedelta, filename: str) -> str:
        """A URL for GET, valid to the whole second before `expires_in` is over.

        Such a URL can't say `filename`: what the signature covers besides the name is no part of the cache's key, so
        one answer serves all URLs of an object. The CDN marks every answer as an attachment, and a browser that is
        led there saves it under the last part of its name, which has the right ending (terraform/edge.tf).
        """
        if bucket != self._bucket:
            return self._origin.get_url(bucket, name, expires_in=expires_in, filename=filename)
        expires = int((self._clock() + expires_in).timestamp())
        url = f"{self._endpoint}/{quote(name, safe='/~')}?Expires={expires}&KeyName={self._key.name}"
        return f"{url}&Signature={self._key.sign(url)}"
