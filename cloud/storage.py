"""Cloud Storage as an `ObjectStore`.

Metadata goes through google-cloud-storage. Bytes go through the same authorised session, because two requests of the
storage API are better here than what the library makes of them:

- an XML `GET` answers data, generation and custom metadata at once, so one round trip is one consistent read
  (https://cloud.google.com/storage/docs/xml-api/get-object-download); the library needs two;
- one multipart `POST` creates an object of any size
  (https://cloud.google.com/storage/docs/json_api/v1/how-tos/multipart-upload); the library makes three requests
  above 8 MiB, without the precondition taking part in the last one on every server.

Bytes are never decoded on the way: what was stored is what is read, whatever `Content-Encoding` an uploader set.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Self, cast
from urllib.parse import quote

import google.auth
import google_crc32c
import msgspec
import requests
import urllib3
from google.api_core.exceptions import GoogleAPIError, NotFound, from_http_response
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import Client
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.adapters import HTTPAdapter

from events.errors import TransientError, UploadMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.api_core.retry import Retry
    from google.auth.credentials import Credentials
    from google.cloud.storage import Blob

    from jobs.ports import ObjectStat, StoredObject

__all__ = ["CHUNK_BYTES", "DEADLINE_SECONDS", "GoogleObjectStore"]

CHUNK_BYTES: Final = 1 << 20
"""Largest chunk that `GoogleObjectStore.stream` yields."""

DEADLINE_SECONDS: Final = 30.0
"""A call starts no further attempt after this time."""

_ENDPOINT: Final = "https://storage.googleapis.com"
_TIMEOUT: Final = (5.0, 30.0)
"""Seconds to connect, and between two packets of an answer."""
_RETRY: Final[Retry] = DEFAULT_RETRY.with_delay(initial=0.1, maximum=5.0, multiplier=2.0)
_POOL: Final = 64
"""Connections kept open, enough for every thread of a process (requests keeps 10)."""
_FAILURES: Final = (GoogleAPIError, GoogleAuthError, requests.RequestException, urllib3.exceptions.HTTPError, OSError)
_METADATA_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
_METADATA_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?|")
_METADATA_HEADER: Final = "x-goog-meta-"


class _Stat(NamedTuple):
    """Field for field a `jobs.ports.ObjectStat`, which this layer may not import."""

    name: str
    size: int
    generation: int
    content_type: str
    metadata: Mapping[str, str]


class _Stored(NamedTuple):
    """Field for field a `jobs.ports.StoredObject`."""

    stat: ObjectStat
    data: bytes


class GoogleObjectStore:
    """`jobs.ports.ObjectStore` over the real service, or over an emulator. Thread-safe.

    Every call is bounded in time, and retried only where repeating it is safe. What still fails raises
    `TransientError`, wrong credentials and missing buckets included: an operator can put those right while the
    message waits.
    """

    def __init__(
        self, session: AuthorizedSession, *, endpoint: str = _ENDPOINT, deadline: float = DEADLINE_SECONDS
    ) -> None:
        session.mount("http://", HTTPAdapter(pool_maxsize=_POOL))
        session.mount("https://", HTTPAdapter(pool_maxsize=_POOL))
        self._session = session
        self._retry = _RETRY.with_timeout(deadline)
        self._endpoint = endpoint.rstrip("/")
        self._client = Client(
            project=None,
            credentials=session.credentials,
            _http=session,
            client_options={"api_endpoint": self._endpoint},
        )

    @classmethod
    def connect(
        cls,
        *,
        endpoint: str | None = None,
        credentials: Credentials | None = None,
        deadline: float = DEADLINE_SECONDS,
    ) -> Self:
        """A store at `endpoint`, else at `STORAGE_EMULATOR_HOST`, else the real service.

        Without `credentials`, an emulator gets none and the real service the default ones of this machine.
        """
        emulator = endpoint or os.environ.get("STORAGE_EMULATOR_HOST")
        if credentials is None and emulator:
            credentials = AnonymousCredentials()
        elif credentials is None:
            credentials, _ = google.auth.default(scopes=Client.SCOPE)
        return cls(AuthorizedSession(credentials), endpoint=emulator or _ENDPOINT, deadline=deadline)

    def read(self, bucket: str, name: str) -> StoredObject | None:
        with _reporting("read", bucket, name):
            return self._retry(self._read)(bucket, name)

    def stream(self, bucket: str, name: str, *, generation: int) -> Iterator[bytes]:
        """Chunks of at most `CHUNK_BYTES`. The request starts with the first chunk asked for.

        Raises `UploadMissingError` where that generation is not there, and `TransientError` where the connection
        breaks on the way or the checksum is wrong at the end; the caller starts again.
        """
        with _reporting("stream", bucket, name):
            response = self._retry(self._get)(bucket, name, generation)
            if response is None:
                raise UploadMissingError(f"no such generation of {bucket}/{name}", generation=generation)
            with response:
                yield from _verified_chunks(response)

    def stat(self, bucket: str, name: str) -> ObjectStat | None:
        with _reporting("stat", bucket, name):
            blob = self._client.bucket(bucket).get_blob(name, timeout=_TIMEOUT, retry=self._retry)
            return None if blob is None else _stat_of_blob(blob)

    def list(self, bucket: str, prefix: str, *, start_offset: str | None = None) -> list[ObjectStat]:
        with _reporting("list", bucket, prefix):
            blobs = self._client.list_blobs(
                bucket,
                prefix=prefix,
                start_offset=start_offset,
                fields="items(name,size,generation,contentType,metadata),nextPageToken",
                timeout=_TIMEOUT,
                retry=self._retry,
            )
            return [_stat_of_blob(blob) for blob in blobs]

    def create(
        self, bucket: str, name: str, data: bytes, *, content_type: str, metadata: Mapping[str, str] | None = None
    ) -> bool:
        """Write only if there is none: True if written, False if one is there already.

        Where an answer is lost, the repeated request finds the object of the first one and says False.
        Raises `ValueError` for metadata that would not come back as it was given.
        """
        content = _multipart(name, data, content_type, _checked(metadata or {}))
        with _reporting("create", bucket, name):
            return self._retry(self._create)(bucket, content)

    def delete(self, bucket: str, name: str) -> None:
        with _reporting("delete", bucket, name):
            try:
                self._client.bucket(bucket).blob(name).delete(timeout=_TIMEOUT, retry=self._retry)
            except NotFound:
                return

    def close(self) -> None:
        self._session.close()

    def _read(self, bucket: str, name: str) -> StoredObject | None:
        response = self._get(bucket, name, None)
        if response is None:
            return None
        with response:
            data = b"".join(_verified_chunks(response))
            return cast("StoredObject", _Stored(_stat_of_response(name, len(data), response), data))

    def _get(self, bucket: str, name: str, generation: int | None) -> requests.Response | None:
        response = self._session.get(
            f"{self._endpoint}/{quote(bucket)}/{quote(name)}",
            params=None if generation is None else {"generation": generation},
            headers={"Accept-Encoding": "gzip"},  # or the service would decompress what is stored as gzip
            stream=True,
            timeout=_TIMEOUT,
        )
        if response.status_code == requests.codes.ok:
            return response
        with response:
            if response.status_code == requests.codes.not_found:
                return None
            raise from_http_response(response)

    def _create(self, bucket: str, content: _Multipart) -> bool:
        with self._session.post(
            f"{self._endpoint}/upload/storage/v1/b/{quote(bucket)}/o",
            params={"uploadType": "multipart", "ifGenerationMatch": "0", "fields": "generation"},
            headers={"Content-Type": content.content_type},
            data=content.body,
            timeout=_TIMEOUT,
        ) as response:
            if response.status_code == requests.codes.precondition_failed:
                return False
            if response.status_code != requests.codes.ok:
                raise from_http_response(response)
            return True


class _Multipart(NamedTuple):
    content_type: str
    body: bytes


def _multipart(name: str, data: bytes, content_type: str, metadata: Mapping[str, str]) -> _Multipart:
    """One `multipart/related` body of metadata and data. The checksum makes the service refuse damaged bytes."""
    resource = {
        "name": name,
        "contentType": content_type,
        "metadata": metadata,
        "crc32c": base64.b64encode(google_crc32c.Checksum(data).digest()).decode(),
    }
    boundary = secrets.token_hex(16).encode()
    head = b"--%b\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%b\r\n--%b\r\nContent-Type: %b\r\n\r\n" % (
        boundary,
        msgspec.json.encode(resource),
        boundary,
        content_type.encode("ascii"),
    )
    return _Multipart(
        f"multipart/related; boundary={boundary.decode()}", b"".join((head, data, b"\r\n--%b--" % boundary))
    )


def _checked(metadata: Mapping[str, str]) -> Mapping[str, str]:
    """Metadata travels as headers: keys have no case there, and values neither line breaks nor spaces around them."""
    for key, value in metadata.items():
        if not _METADATA_KEY.fullmatch(key) or not _METADATA_VALUE.fullmatch(value):
            raise ValueError(
                f"metadata {key!r}: {value!r} is not a lower-case key with a trimmed, printable ASCII value"
            )
    return metadata


def _verified_chunks(response: requests.Response) -> Iterator[bytes]:
    """The body as it is stored. Raises `TransientError` at the end where its CRC32C is not the service's."""
    checksum = google_crc32c.Checksum()
    for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
        checksum.update(chunk)
        yield chunk
    expected = re.search(r"crc32c=([^,\s]+)", response.headers.get("x-goog-hash", ""))
    if expected and base64.b64decode(expected[1]) != checksum.digest():
        raise TransientError("the bytes read don't have the object's checksum", url=response.url)


def _stat_of_response(name: str, size: int, response: requests.Response) -> ObjectStat:
    headers = response.headers
    metadata = {
        key.lower().removeprefix(_METADATA_HEADER): value
        for key, value in headers.items()
        if key.lower().startswith(_METADATA_HEADER)
    }
    generation = int(headers["x-goog-generation"])
    return cast("ObjectStat", _Stat(name, size, generation, headers.get("content-type", ""), metadata))


def _stat_of_blob(blob: Blob) -> ObjectStat:
    stat = _Stat(blob.name, blob.size, blob.generation, blob.content_type or "", blob.metadata or {})
    return cast("ObjectStat", stat)


@contextmanager
def _reporting(operation: str, bucket: str, name: str) -> Iterator[None]:
    """Every failure of the service, the network or the credentials as `TransientError`."""
    try:
        yield
    except _FAILURES as error:
        raise TransientError(
            f"storage: {operation} {bucket}/{name} failed: {error}", operation=operation, bucket=bucket, name=name
        ) from error
