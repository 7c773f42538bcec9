"""Verification of the OIDC token that a Pub/Sub push subscription sends.

Source: https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions, and Google's public keys at
https://www.googleapis.com/oauth2/v1/certs.
"""

from __future__ import annotations

import hmac
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Self

import msgspec
from google.auth import jwt
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

from events.errors import ForbiddenError, TransientError, UnauthorizedError

__all__ = ["CertificateSource", "Certificates", "OidcVerifier", "google_certificates"]

_CERTS_URL: Final = "https://www.googleapis.com/oauth2/v1/certs"
_ISSUERS: Final = ("accounts.google.com", "https://accounts.google.com")
_CLOCK_SKEW_SECONDS: Final = 30
_REFRESH_SECONDS: Final = 60.0
"""A key id that nobody knows makes the certificates be fetched again, at most this often."""
_TIMEOUT_SECONDS: Final = 10.0


class Certificates(NamedTuple):
    """Public keys or certificates (PEM) by key id, and for how many seconds they may be kept."""

    by_key_id: Mapping[str, str]
    max_age: float


CertificateSource = Callable[[], Certificates]


def google_certificates() -> Certificates:
    """Google's certificates of today. Raises `TransientError`."""
    try:
        response = Request()(_CERTS_URL, method="GET", timeout=_TIMEOUT_SECONDS)
    except (GoogleAuthError, OSError) as error:
        raise TransientError(f"Google's certificates can't be fetched: {error}") from error
    if response.status != 200:
        raise TransientError(f"Google's certificates can't be fetched: status {response.status}")
    try:
        by_key_id = msgspec.json.decode(response.data, type=dict[str, str])
    except (msgspec.MsgspecError, ValueError) as error:
        raise TransientError("Google's certificates are not what they should be") from error
    max_age = re.search(r"max-age=([0-9]+)", response.headers.get("cache-control", ""))
    return Certificates(by_key_id, float(max_age[1]) if max_age else _REFRESH_SECONDS)


class OidcVerifier:
    """Accepts the tokens that Google issued to `sender_email` for `audience`, and nothing else. Thread-safe."""

    def __init__(
        self,
        audience: str,
        sender_email: str,
        *,
        certs: CertificateSource,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not audience or not sender_email:
            raise ValueError("the audience and the sender of push tokens must be given")
        self._audience = audience
        self._sender_email = sender_email
        self._keys = _Keys(certs, monotonic)

    @classmethod
    def for_google(cls, audience: str, sender_email: str) -> Self:
        return cls(audience, sender_email, certs=google_certificates)

    def verify(self, authorization: str | None) -> None:
        """Check the value of an `Authorization` header.

        Raises `UnauthorizedError` for a token that is missing, expired or not Google's, `ForbiddenError` for a
        good one of another audience or sender, and `TransientError` while Google's certificates can't be had.
        """
        claims = self._claims(_bearer_token(authorization))
        if claims.get("iss") not in _ISSUERS:
            raise UnauthorizedError("the token's issuer is not Google")
        if claims.get("aud") != self._audience:
            raise ForbiddenError("the token is for another audience")
        email = str(claims.get("email", ""))
        if claims.get("email_verified") is not True or not _same(email, self._sender_email):
            raise ForbiddenError("the token is not the expected sender's")

    def _claims(self, token: str) -> Mapping[str, object]:
        """The claims of a token with a good signature that is valid now."""
        try:
            header = jwt.decode_header(token)
            if header.get("alg") != "RS256":
                raise UnauthorizedError("the token is not signed with RS256")
            key = self._keys.find(str(header.get("kid", "")))
            return dict(jwt.decode(token, certs=key, clock_skew_in_seconds=_CLOCK_SKEW_SECONDS))
        except (GoogleAuthError, ValueError, TypeError, AttributeError) as error:
            raise UnauthorizedError(f"the token is not valid: {error}") from error


class _Keys:
    """Keeps the certificates for as long as they may be kept, and asks again for a key that is not among them."""

    def __init__(self, fetch: CertificateSource, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._certificates = Certificates({}, 0.0)
        self._fetched_at: float | None = None

    def find(self, key_id: str) -> str:
        """The certificate of a key. Raises `UnauthorizedError` where there is no such key."""
        with self._lock:
            if self._must_fetch(key_id):
                self._certificates = self._fetch()
                self._fetched_at = self._monotonic()
            certificate = self._certificates.by_key_id.get(key_id)
        if certificate is None:
            raise UnauthorizedError("the token is signed with a key that is not Google's")
        return certificate

    def _must_fetch(self, key_id: str) -> bool:
        if self._fetched_at is None:
            return True
        age = self._monotonic() - self._fetched_at
        unknown = key_id not in self._certificates.by_key_id
        return age >= self._certificates.max_age or (unknown and age >= _REFRESH_SECONDS)


def _bearer_token(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise UnauthorizedError("the request carries no bearer token")
    return token.strip()


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())
