"""V4 signed URLs of Cloud Storage, as a `UrlSigner`.

What signs is the private key of a key file (the local stack makes one), or, in the cloud where there is no key, the
`signBlob` method of the IAM credentials API, which a service account may call for itself if it is Token Creator on
itself (https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob).
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, Self

import google.auth
from google.auth import crypt, iam
from google.auth.credentials import AnonymousCredentials, Signing, TokenState
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.cloud.storage import Client
from google.oauth2 import service_account

from cloud.environment import SettingsError
from events.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from google.auth.credentials import Credentials
    from google.auth.transport import Response

__all__ = ["IamCredentials", "SigningSettings", "V4UrlSigner", "signer_for"]

_ENDPOINT: Final = "https://storage.googleapis.com"
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT_SECONDS: Final = 10.0


class SigningSettings(Protocol):
    """Who signs; nothing is an empty text."""

    @property
    def signing_key_file(self) -> str:
        """A service account's key, JSON."""

    @property
    def signing_account(self) -> str:
        """The e-mail address of the service account to sign as where there is no key."""

    @property
    def storage_url(self) -> str:
        """What the URLs begin with, where that is not Google's address."""


def signer_for(settings: SigningSettings) -> V4UrlSigner:
    """Raises `SettingsError` where the settings name neither a key nor an account."""
    endpoint = settings.storage_url or _ENDPOINT
    if settings.signing_key_file:
        return V4UrlSigner.from_key_file(settings.signing_key_file, endpoint=endpoint)
    if settings.signing_account:
        return V4UrlSigner.from_iam(settings.signing_account, endpoint=endpoint)
    raise SettingsError({"SIGNING_ACCOUNT": "is not set, nor is SIGNING_KEY_FILE"})


class V4UrlSigner:
    """`jobs.ports.UrlSigner`. Thread-safe. `credentials` sign, and `endpoint` is what the URLs begin with."""

    def __init__(self, credentials: Signing, *, endpoint: str = _ENDPOINT) -> None:
        self._credentials = credentials
        self._endpoint = endpoint.rstrip("/")
        self._client = Client(project=None, credentials=AnonymousCredentials())

    @classmethod
    def from_key_file(cls, path: str, *, endpoint: str = _ENDPOINT) -> Self:
        """Sign with a service account's key file (JSON)."""
        return cls(service_account.Credentials.from_service_account_file(path), endpoint=endpoint)

    @classmethod
    def from_iam(cls, service_account_email: str, *, endpoint: str = _ENDPOINT) -> Self:
        """Sign as `service_account_email`, with this machine's default credentials and no key."""
        caller, _ = google.auth.default(scopes=[_SCOPE])
        transport = partial(Request(), timeout=_TIMEOUT_SECONDS)
        return cls(IamCredentials(caller, service_account_email, transport), endpoint=endpoint)

    def put_url(self, bucket: str, name: str, *, expires_in: timedelta, headers: Mapping[str, str]) -> str:
        """A URL for one PUT that must carry exactly these headers. Raises `TransientError`."""
        return self._sign(bucket, name, method="PUT", expires_in=expires_in, headers=headers, query={})

    def get_url(self, bucket: str, name: str, *, expires_in: timedelta, filename: str) -> str:
        """A URL for GET; the browser saves the answer under `filename`, plain ASCII. Raises `TransientError`."""
        disposition = f'attachment; filename="{_plain(filename)}"'
        query = {"response-content-disposition": disposition}
        return self._sign(bucket, name, method="GET", expires_in=expires_in, headers={}, query=query)

    def _sign(
        self,
        bucket: str,
        name: str,
        *,
        method: str,
        expires_in: timedelta,
        headers: Mapping[str, str],
        query: Mapping[str, str],
    ) -> str:
        blob = self._client.bucket(bucket).blob(name)
        try:
            return str(
                blob.generate_signed_url(
                    version="v4",
                    method=method,
                    expiration=expires_in,
                    headers=dict(headers),
                    query_parameters=dict(query),
                    credentials=self._credentials,
                    api_access_endpoint=self._endpoint,
                )
            )
        except (GoogleAuthError, OSError) as error:
            raise TransientError(f"signing a URL failed: {error}", bucket=bucket, name=name) from error


class IamCredentials(Signing):
    """Signs by `signBlob` as `email`, authorised as `caller`, whose token is refreshed when it expires. Thread-safe."""

    def __init__(self, caller: Credentials, email: str, transport: Callable[..., Response]) -> None:
        self._caller = caller
        self._email = email
        self._transport = transport
        self._signer = iam.Signer(transport, caller, email)
        self._lock = threading.Lock()

    def sign_bytes(self, message: bytes) -> bytes:
        with self._lock:  # one thread refreshes the token; then all sign at once
            if self._caller.token_state is not TokenState.FRESH:
                self._caller.refresh(self._transport)
        return bytes(self._signer.sign(message))

    @property
    def signer_email(self) -> str:
        return self._email

    @property
    def signer(self) -> crypt.Signer:
        return self._signer


def _plain(filename: str) -> str:
    """`filename`, if a quoted header value can hold it as it is."""
    if not filename.isascii() or not filename.isprintable() or set(filename) & set('"\\/') or not filename:
        raise ValueError(f"{filename!r} is not a plain file name")
    return filename
