"""Cloud Storage as an `ObjectStore`.

Speaks the service's HTTP API through google-auth's session, because google-cloud-storage makes more requests of the
same calls than a job has time for:

- an XML `GET` answers data, generation and custom metadata at once, so one round trip is one consistent read
  (https://cloud.google.com/storage/docs/xml-api/get-object-download); the library needs two;
- one multipart `POST` creates an object of any size
  (https://cloud.google.com/storage/docs/uploading-objects#uploading-an-object); the library makes three requests above
  8 MiB, and fake-gcs-server does not hold the last one to the precondition;
- where OpenTelemetry is installed, the library looks up each bucket in a background thread, which takes a permission
  that nothing here has (`_bucket_metadata_cache`).

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
from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError, from_http_response
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import AuthorizedSession
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from events.errors import TransientError, UploadMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.auth.credentials import Credentials

    from jobs.ports import ObjectStat, StoredObject

__all__ = ["CHUNK_BYTES", "DEADLINE_SECONDS", "GoogleObjectStore"]

CHUNK_BYTES: Final = 1 << 20
"""Largest chunk that `GoogleObjectStore.stream` yields."""

DEADLINE_SECONDS: Final = 30.0
"""A call starts no further attempt after this time."""

_ENDPOINT: Final = "https://storage.googleapis.com"
_SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_write"
_TIMEOUT: Final = (5.0, 30.0)
"""Seconds to connect, and between two packets of an answer."""
_POOL: Final = 64
"""Connections kept open, enough for every thread of a process (requests keeps 10)."""
_FAILURES: Final = (GoogleAPIError, GoogleAuthError, HTTPError, OSError, msgspec.MsgspecError)
"""What the service, the network and the credentials fail with; errors of requests are `OSError`s."""
_FIELDS: Final = "name,size,generation,contentType,metadata"
_METADATA_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
_METADATA_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?|")
_METADATA_HEADER: Final = "x-goog-meta-"


def _may_pass(error: Exception) -> bool:
    """Whether to repeat a call (https://cloud.google.com/storage/docs/retry-strategy).

    Every call here can be repeated: reads, creates with a precondition, and deletes of one generation, or of names that
    are never used again.
    """
    if isinstance(error, GoogleAPICallError):
        code = error.code or 0
        return code in {requests.codes.request_timeout, requests.codes.too_many_requests} or code >= 500
    return isinstance(error, (TransportError, HTTPError, OSError))


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

    Every call is bounded in time and repeated where that may help. What still fails raises `TransientError`, wrong
    credentials and missing buckets included: an operator can put those right while the message waits.
    """

    def __init__(
        self, session: AuthorizedSession, *, endpoint: str = _ENDPOINT, deadline: float = DEADLINE_SECONDS
    ) -> None:
        session.mount("http://", HTTPAdapter(pool_maxsize=_POOL))
        session.mount("https://", HTTPAdapter(pool_maxsize=_POOL))
        self._session = session
        self._endpoint = endpoint.rstrip("/")
        self._retry = Retry(predicate=_may_pass, initial=0.1, maximum=5.0, multiplier=2.0, timeout=deadline)

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
            credentials, _ = google.auth.default(scopes=[_SCOPE])
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
            response = self._retry(self._open)(bucket, name, generation)
            if response is None:
                raise UploadMissingError(f"no such generation of {bucket}/{name}", generation=generation)
            with response:
                yield from _verified_chunks(response)

    def stat(self, bucket: str, name: str) -> ObjectStat | None:
        with _reporting("stat", bucket, name):
            answer = self._json("GET", _path(bucket, name), fields=_FIELDS)
            return None if answer is None else _RESOURCE.decode(answer).stat()

    def list(
        self,
        bucket: str,
        prefix: str,
        *,
        start_offset: str | None = None,
        end_offset: str | None = None,
        most: int | None = None,
    ) -> list[ObjectStat]:
        found: list[ObjectStat] = []
        query = {"prefix": prefix, "startOffset": start_offset or "", "fields": f"items({_FIELDS}),nextPageToken"}
        if end_offset is not None:
            query["endOffset"] = end_offset
        if most is not None:
            query["maxResults"] = str(most)
        with _reporting("list", bucket, prefix):
            while True:
                answer = self._json("GET", f"/storage/v1/b/{quote(bucket)}/o", **query)
                if answer is None:
                    raise TransientError(f"storage: there is no bucket {bucket}")
                page = _PAGE.decode(answer)
                found += [resource.stat() for resource in page.items]
                if not page.next_page_token or (most is not None and len(found) >= most):
                    return found[:most]
                query["pageToken"] = page.next_page_token

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

    def delete(self, bucket: str, name: str, *, generation: int | None = None) -> None:
        query = {} if generation is None else {"generation": str(generation)}
        with _reporting("delete", bucket, name):
            self._json("DELETE", _path(bucket, name), **query)

    def close(self) -> None:
        self._session.close()

    def _read(self, bucket: str, name: str) -> StoredObject | None:
        response = self._open(bucket, name, None)
        if response is None:
            return None
        with response:
            data = b"".join(_verified_chunks(response))
            return cast("StoredObject", _Stored(_stat_of_response(name, len(data), response), data))

    def _open(self, bucket: str, name: str, generation: int | None) -> requests.Response | None:
        """The answer to a read, its body not yet read; None where there is no such object."""
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

    def _json(self, method: str, path: str, **query: str) -> bytes | None:
        """The answer of the JSON API; None where it says that there is nothing."""

        def attempt() -> bytes | None:
            with self._session.request(method, self._endpoint + path, params=query, timeout=_TIMEOUT) as response:
                if response.status_code == requests.codes.not_found:
                    return None
                if not response.ok:
                    raise from_http_response(response)
                return bytes(response.content)

        return self._retry(attempt)()


class _Resource(msgspec.Struct, frozen=True, rename="camel"):
    """What the JSON API says of an object; 64-bit integers are strings there."""

    name: str
    size: str
    generation: str
    content_type: str = ""
    metadata: dict[str, str] = {}

    def stat(self) -> ObjectStat:
        stat = _Stat(self.name, int(self.size), int(self.generation), self.content_type, self.metadata)
        return cast("ObjectStat", stat)


class _Page(msgspec.Struct, frozen=True, rename="camel"):
    items: tuple[_Resource, ...] = ()
    next_page_token: str = ""


# Made before there are threads: msgspec crashes where two of them use a type for the first time at once.
_RESOURCE: Final = msgspec.json.Decoder(_Resource)
_PAGE: Final = msgspec.json.Decoder(_Page)


class _Multipart(NamedTuple):
    content_type: str
    body: bytes


def _path(bucket: str, name: str) -> str:
    return f"/storage/v1/b/{quote(bucket)}/o/{quote(name, safe='')}"


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
    if "x-goog-generation" not in headers:
        raise TransientError("the answer is not an object's", url=response.url)
    stat = _Stat(name, size, int(headers["x-goog-generation"]), headers.get("content-type", ""), metadata)
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
