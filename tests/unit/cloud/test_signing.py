from __future__ import annotations

import base64
import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from google.auth.credentials import Credentials
from google.auth.exceptions import TransportError
from google.auth.transport import Response

from cloud.environment import SettingsError
from cloud.signing import IamCredentials, V4UrlSigner, signer_for
from events.errors import TransientError
from local.signing_key import ensure_signing_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HOST = "http://127.0.0.1:4443"
EMAIL = "functions@shop.iam.gserviceaccount.com"
HEADERS = {
    "Content-Type": "image/jpeg",
    "x-goog-content-length-range": "1,1000",
    "x-goog-if-generation-match": "0",
    "x-goog-meta-recipes": '[{"effect":"none"},{"format":"mask"}]',
}
LIFE = timedelta(minutes=10)


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_signing_key(tmp_path_factory.mktemp("key") / "key.json", "shop")


@pytest.fixture(scope="module")
def private_key(key_file: Path) -> rsa.RSAPrivateKey:
    key = load_pem_private_key(json.loads(key_file.read_text())["private_key"].encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@pytest.fixture
def signer(key_file: Path) -> V4UrlSigner:
    return V4UrlSigner.from_key_file(str(key_file), endpoint=HOST)


def check(public_key: rsa.RSAPublicKey, method: str, url: str, headers: Mapping[str, str]) -> None:
    """What Cloud Storage does with a signed URL. Raises `InvalidSignature`.

    Source: https://cloud.google.com/storage/docs/authentication/canonical-requests
    """
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
    given = dict(query)
    sent = {"host": parts.netloc} | {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    signed = given["X-Goog-SignedHeaders"].split(";")
    canonical_request = "\n".join(
        (
            method,
            parts.path,
            "&".join(
                sorted(
                    f"{quote(name, safe='~')}={quote(value, safe='~')}"
                    for name, value in query
                    if name != "X-Goog-Signature"
                )
            ),
            "".join(f"{name}:{sent.get(name, '')}\n" for name in signed),
            ";".join(signed),
            "UNSIGNED-PAYLOAD",
        )
    )
    text = "\n".join(
        (
            given["X-Goog-Algorithm"],
            given["X-Goog-Date"],
            given["X-Goog-Credential"].partition("/")[2],
            hashlib.sha256(canonical_request.encode()).hexdigest(),
        )
    )
    public_key.verify(bytes.fromhex(given["X-Goog-Signature"]), text.encode(), padding.PKCS1v15(), hashes.SHA256())


def parameters(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


class TestPut:
    def test_the_url_is_good_for_exactly_these_headers(
        self, signer: V4UrlSigner, private_key: rsa.RSAPrivateKey
    ) -> None:
        url = signer.put_url("uploads", "acme/job", expires_in=LIFE, headers=HEADERS)

        check(private_key.public_key(), "PUT", url, HEADERS)
        assert url.startswith(f"{HOST}/uploads/acme/job?")
        signed = parameters(url)["X-Goog-SignedHeaders"].split(";")
        assert signed == sorted(["host", *(name.lower() for name in HEADERS)])

    @pytest.mark.parametrize(
        "changed",
        [
            {"Content-Type": "text/html"},
            {"x-goog-content-length-range": "1,1000000000"},
            {"x-goog-if-generation-match": ""},
            {"x-goog-meta-recipes": '[{"effect":"none"}]'},
        ],
        ids=lambda changed: next(iter(changed)),
    )
    def test_a_changed_header_breaks_the_signature(
        self, signer: V4UrlSigner, private_key: rsa.RSAPrivateKey, changed: dict[str, str]
    ) -> None:
        url = signer.put_url("uploads", "acme/job", expires_in=LIFE, headers=HEADERS)
        with pytest.raises(InvalidSignature):
            check(private_key.public_key(), "PUT", url, HEADERS | changed)

    @pytest.mark.parametrize("name", HEADERS)
    def test_a_missing_header_breaks_the_signature(
        self, signer: V4UrlSigner, private_key: rsa.RSAPrivateKey, name: str
    ) -> None:
        url = signer.put_url("uploads", "acme/job", expires_in=LIFE, headers=HEADERS)
        fewer = {given: value for given, value in HEADERS.items() if given != name}
        with pytest.raises(InvalidSignature):
            check(private_key.public_key(), "PUT", url, fewer)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            pytest.param("/uploads/acme/job", "/uploads/acme/other", id="object"),
            pytest.param("/uploads/acme/", "/results/acme/", id="bucket"),
            pytest.param("X-Goog-Expires=600", "X-Goog-Expires=604800", id="expiry"),
            pytest.param("127.0.0.1:4443", "127.0.0.1:4444", id="host"),
            pytest.param("functions%40shop", "owner%40shop", id="account"),
        ],
    )
    def test_a_changed_url_breaks_the_signature(
        self, signer: V4UrlSigner, private_key: rsa.RSAPrivateKey, old: str, new: str
    ) -> None:
        url = signer.put_url("uploads", "acme/job", expires_in=LIFE, headers=HEADERS)
        assert old in url
        if old == "functions%40shop":
            assert parameters(url)["X-Goog-Credential"].startswith(EMAIL)
        with pytest.raises(InvalidSignature):
            check(private_key.public_key(), "PUT", url.replace(old, new), HEADERS)

    def test_the_url_of_a_put_is_no_url_for_another_method(
        self, signer: V4UrlSigner, private_key: rsa.RSAPrivateKey
    ) -> None:
        url = signer.put_url("uploads", "acme/job", expires_in=LIFE, headers=HEADERS)
        for method in ("GET", "DELETE", "POST"):
            with pytest.raises(InvalidSignature):
                check(private_key.public_key(), method, url, HEADERS)

    def test_the_url_lives_from_now_for_as_long_as_asked(self, signer: V4UrlSigner) -> None:
        given = parameters(signer.put_url("uploads", "acme/job", expires_in=LIFE, headers=HEADERS))
        signed_at = datetime.strptime(given["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        assert abs(datetime.now(UTC) - signed_at) < timedelta(seconds=30)
        assert given["X-Goog-Expires"] == "600"

    def test_the_headers_passed_stay_as_they_are(self, signer: V4UrlSigner) -> None:
        headers = dict(HEADERS)
        signer.put_url("uploads", "acme/job", expires_in=LIFE, headers=headers)
        assert headers == HEADERS


class TestGet:
    def test_the_browser_saves_the_answer_under_the_file_name(
        self, signer: V4UrlSigner, private_key: rsa.RSAPrivateKey
    ) -> None:
        url = signer.get_url("results", "acme/content/model/digest.png", expires_in=LIFE, filename="cutout 1.png")

        check(private_key.public_key(), "GET", url, {})
        assert parameters(url)["response-content-disposition"] == 'attachment; filename="cutout 1.png"'
        with pytest.raises(InvalidSignature):
            check(private_key.public_key(), "GET", url.replace("cutout", "invoice"), {})

    @pytest.mark.parametrize("filename", ["", 'a".png', "a\nb", "../a.png", "a\\b", "ä.png"])
    def test_a_file_name_that_would_change_the_header_is_refused(self, signer: V4UrlSigner, filename: str) -> None:
        with pytest.raises(ValueError, match="not a plain file name"):
            signer.get_url("results", "name", expires_in=LIFE, filename=filename)

    def test_a_name_is_quoted_as_the_service_reads_it(
        self, signer: V4UrlSigner, private_key: rsa.RSAPrivateKey
    ) -> None:
        name = "acme/a b+c~d%2F#?é.png"
        url = signer.get_url("results", name, expires_in=LIFE, filename="a.png")
        check(private_key.public_key(), "GET", url, {})
        assert unquote(urlsplit(url).path) == f"/results/{name}"


class Answer(Response):
    """As google.auth's transports answer."""

    def __init__(self, status: int, data: bytes) -> None:
        self._status = status
        self._data = data

    @property
    def status(self) -> int:
        return self._status

    @property
    def headers(self) -> Mapping[str, str]:
        return {}

    @property
    def data(self) -> bytes:
        return self._data


class Iam:
    """The IAM credentials API, as far as signing goes."""

    def __init__(self, private_key: rsa.RSAPrivateKey, *statuses: int) -> None:
        self._private_key = private_key
        self._statuses = list(statuses)
        self.requests: list[dict[str, Any]] = []

    def __call__(self, url: str, method: str = "GET", body: bytes | None = None, **options: Any) -> Answer:
        self.requests.append({"url": url, "method": method, **options})
        status = self._statuses.pop(0) if self._statuses else 200
        if status != 200:
            return Answer(status, b"no")
        payload = base64.b64decode(json.loads(body or b"")["payload"])
        signature = self._private_key.sign(payload, padding.PKCS1v15(), hashes.SHA256())
        return Answer(200, json.dumps({"signedBlob": base64.b64encode(signature).decode()}).encode())


class Caller(Credentials):
    """Default credentials whose tokens live for an hour. `refreshes` counts them."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google.auth is typed in part
        self.refreshes = 0
        self._error = error

    def refresh(self, request: object) -> None:
        if self._error is not None:
            raise self._error
        self.refreshes += 1
        self.token = f"token-{self.refreshes}"
        self.expiry = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)

    def expire(self) -> None:
        self.expiry = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)


class TestWithoutAKey:
    def signer(self, caller: Caller, iam: Iam) -> V4UrlSigner:
        return V4UrlSigner(IamCredentials(caller, EMAIL, iam))

    def test_the_service_account_signs_through_iam(self, private_key: rsa.RSAPrivateKey) -> None:
        iam = Iam(private_key)
        url = self.signer(Caller(), iam).put_url("uploads", "acme/job", expires_in=LIFE, headers=HEADERS)

        check(private_key.public_key(), "PUT", url, HEADERS)
        assert url.startswith("https://storage.googleapis.com/uploads/acme/job?")
        assert parameters(url)["X-Goog-Credential"].startswith(f"{EMAIL}/")
        (request,) = iam.requests
        assert request["url"].endswith(f"/v1/projects/-/serviceAccounts/{EMAIL}:signBlob")
        assert request["headers"]["authorization"] == "Bearer token-1"

    def test_a_token_is_used_until_it_expires(self, private_key: rsa.RSAPrivateKey) -> None:
        caller, iam = Caller(), Iam(private_key)
        signer = self.signer(caller, iam)
        for _ in range(3):
            signer.get_url("results", "name", expires_in=LIFE, filename="a.png")
        assert caller.refreshes == 1
        caller.expire()
        signer.get_url("results", "name", expires_in=LIFE, filename="a.png")
        assert [request["headers"]["authorization"] for request in iam.requests] == ["Bearer token-1"] * 3 + [
            "Bearer token-2"
        ]

    def test_many_threads_refresh_once_and_sign_rightly(self, private_key: rsa.RSAPrivateKey) -> None:
        caller = Caller()
        signer = self.signer(caller, Iam(private_key))
        urls: list[str] = []

        def sign(index: int) -> None:
            urls.append(signer.get_url("results", f"name-{index}", expires_in=LIFE, filename="a.png"))

        threads = [threading.Thread(target=sign, args=(index,)) for index in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(urls) == 16
        for url in urls:
            check(private_key.public_key(), "GET", url, {})
        assert caller.refreshes == 1

    def test_iam_saying_no_is_a_passing_failure(self, private_key: rsa.RSAPrivateKey) -> None:
        signer = self.signer(Caller(), Iam(private_key, 403))
        with pytest.raises(TransientError, match="signing a URL failed"):
            signer.get_url("results", "name", expires_in=LIFE, filename="a.png")

    def test_credentials_that_can_not_be_refreshed_are_a_passing_failure(self, private_key: rsa.RSAPrivateKey) -> None:
        signer = self.signer(Caller(TransportError("metadata server")), Iam(private_key))
        with pytest.raises(TransientError, match="metadata server"):
            signer.get_url("results", "name", expires_in=LIFE, filename="a.png")


class TestSettings:
    def test_a_key_file_signs_for_the_given_address(self, key_file: Path) -> None:
        settings = SimpleNamespace(signing_key_file=str(key_file), signing_account="", storage_url=HOST)
        assert signer_for(settings).get_url("b", "n", expires_in=LIFE, filename="a").startswith(f"{HOST}/b/n?")

    def test_no_address_is_googles(self, key_file: Path) -> None:
        settings = SimpleNamespace(signing_key_file=str(key_file), signing_account="", storage_url="")
        url = signer_for(settings).get_url("b", "n", expires_in=LIFE, filename="a")
        assert url.startswith("https://storage.googleapis.com/b/n?")

    def test_an_account_signs_with_the_default_credentials(
        self, monkeypatch: pytest.MonkeyPatch, private_key: rsa.RSAPrivateKey
    ) -> None:
        iam = Iam(private_key)
        monkeypatch.setattr("google.auth.default", lambda scopes: (Caller(), "shop"))
        monkeypatch.setattr("cloud.signing.Request", lambda: iam)
        settings = SimpleNamespace(signing_key_file="", signing_account=EMAIL, storage_url="")

        url = signer_for(settings).get_url("b", "n", expires_in=LIFE, filename="a")

        check(private_key.public_key(), "GET", url, {})
        assert iam.requests[0]["timeout"] == 10

    def test_neither_key_nor_account_is_a_settings_error(self) -> None:
        with pytest.raises(SettingsError, match="SIGNING_ACCOUNT is not set"):
            signer_for(SimpleNamespace(signing_key_file="", signing_account="", storage_url=""))
