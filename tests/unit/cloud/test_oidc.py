from __future__ import annotations

import base64
import json
import time
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from google.auth import crypt, jwt
from google.auth.exceptions import TransportError

from cloud.oidc import Certificates, OidcVerifier, google_certificates
from events.errors import CutoutError, ForbiddenError, TransientError, UnauthorizedError

AUDIENCE = "https://worker.example/jobs"
SENDER = "pusher@shop.iam.gserviceaccount.com"


class Key(NamedTuple):
    private: bytes
    public: str


@cache
def key(name: str) -> Key:
    """One RSA key for each name."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return Key(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    )


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "email": SENDER,
        "email_verified": True,
        "iat": now,
        "exp": now + 3600,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def token(payload: dict[str, Any] | None = None, *, signed_by: str = "google", key_id: str = "google") -> str:
    signer = crypt.RSASigner.from_string(key(signed_by).private, key_id=key_id)
    encoded: bytes = jwt.encode(signer, payload if payload is not None else claims())
    return f"Bearer {encoded.decode()}"


class Source:
    """Certificates that can change, and how often they were fetched."""

    def __init__(self, *names: str, max_age: float = 3600.0) -> None:
        self.names = names
        self.max_age = max_age
        self.fetches = 0

    def __call__(self) -> Certificates:
        self.fetches += 1
        return Certificates({name: key(name).public for name in self.names}, self.max_age)


class SettableTime:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def verifier(source: Source | None = None, monotonic: SettableTime | None = None) -> OidcVerifier:
    return OidcVerifier(AUDIENCE, SENDER, certs=source or Source("google"), monotonic=monotonic or SettableTime())


@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
def test_a_token_of_google_for_this_audience_and_sender_is_accepted(issuer: str) -> None:
    verifier().verify(token(claims(iss=issuer)))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"aud": "https://other.example/"}, ForbiddenError, id="another audience"),
        pytest.param({"aud": None}, ForbiddenError, id="no audience"),
        pytest.param({"aud": [AUDIENCE]}, ForbiddenError, id="a list of audiences"),
        pytest.param({"email": "thief@shop.iam.gserviceaccount.com"}, ForbiddenError, id="another sender"),
        pytest.param({"email": None}, ForbiddenError, id="no sender"),
        pytest.param({"email_verified": False}, ForbiddenError, id="an unverified sender"),
        pytest.param({"email_verified": "true"}, ForbiddenError, id="a sender that is said to be verified"),
        pytest.param({"email_verified": None}, ForbiddenError, id="nothing about verification"),
        pytest.param({"iss": "https://accounts.example.com"}, UnauthorizedError, id="another issuer"),
        pytest.param({"iss": None}, UnauthorizedError, id="no issuer"),
        pytest.param({"exp": int(time.time()) - 120}, UnauthorizedError, id="expired"),
        pytest.param({"exp": None}, UnauthorizedError, id="no expiry"),
        pytest.param({"iat": int(time.time()) + 600}, UnauthorizedError, id="issued in the future"),
        pytest.param({"exp": "tomorrow"}, UnauthorizedError, id="an expiry that is no number"),
    ],
)
def test_a_well_signed_token_of_somebody_else_is_refused(changes: dict[str, Any], error: type[CutoutError]) -> None:
    with pytest.raises(error):
        verifier().verify(token(claims(**changes)))


def test_clocks_may_differ_a_little() -> None:
    now = int(time.time())
    verifier().verify(token(claims(iat=now + 10, exp=now + 3600)))
    verifier().verify(token(claims(iat=now - 3600, exp=now - 10)))


def unsigned(header: dict[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims()).encode(), signature)
    return "Bearer " + ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def with_claims_of_another(authorization: str) -> str:
    header, _, signature = authorization.split(".")
    payload = base64.urlsafe_b64encode(json.dumps(claims(email="thief@example.com")).encode()).rstrip(b"=").decode()
    return f"{header}.{payload}.{signature}"


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(None, id="no header"),
        pytest.param("", id="an empty header"),
        pytest.param("Bearer ", id="no token"),
        pytest.param("Basic dXNlcjpwYXNz", id="another scheme"),
        pytest.param("Bearer not.a.token", id="no JSON"),
        pytest.param("Bearer a.b", id="two parts"),
        pytest.param("Bearer \xff\xfe.\x00.é", id="binary"),
        pytest.param(unsigned({"alg": "none", "kid": "google"}), id="alg none"),
        pytest.param(unsigned({"alg": "None", "kid": "google"}), id="alg None"),
        pytest.param(unsigned({"alg": "HS256", "kid": "google"}, b"x" * 32), id="a symmetric signature"),
        pytest.param(unsigned({"alg": "ES256", "kid": "google"}, b"x" * 64), id="another algorithm"),
        pytest.param(unsigned({"alg": ["RS256"], "kid": "google"}), id="a list of algorithms"),
        pytest.param(unsigned({"alg": "RS256", "kid": {"a": 1}}), id="a key id that is no text"),
        pytest.param(unsigned({"alg": "RS256"}, b"x" * 256), id="no key id"),
        pytest.param(unsigned({"alg": "RS256", "kid": "google"}, b"x" * 256), id="a made-up signature"),
    ],
)
def test_what_google_did_not_sign_is_refused(authorization: str | None) -> None:
    with pytest.raises(UnauthorizedError):
        verifier().verify(authorization)


def test_a_token_signed_with_another_key_under_googles_key_id_is_refused() -> None:
    with pytest.raises(UnauthorizedError):
        verifier().verify(token(signed_by="thief", key_id="google"))


def test_a_good_signature_over_other_claims_is_refused() -> None:
    with pytest.raises(UnauthorizedError):
        verifier().verify(with_claims_of_another(token()))


def test_certificates_are_fetched_on_the_first_token_and_kept() -> None:
    source = Source("google")
    checker = verifier(source)
    assert source.fetches == 0
    for _ in range(3):
        checker.verify(token())
    assert source.fetches == 1


def test_certificates_are_fetched_again_when_their_time_is_up() -> None:
    source, clock = Source("google", max_age=100.0), SettableTime()
    checker = verifier(source, clock)
    checker.verify(token())
    clock.now += 99
    checker.verify(token())
    assert source.fetches == 1
    clock.now += 1
    checker.verify(token())
    assert source.fetches == 2


def test_a_key_that_is_new_makes_them_be_fetched_again_but_not_more_than_once_a_minute() -> None:
    source, clock = Source("google"), SettableTime()
    checker = verifier(source, clock)
    checker.verify(token())
    source.names = ("google", "rotated")
    rotated = token(signed_by="rotated", key_id="rotated")

    with pytest.raises(UnauthorizedError):
        checker.verify(rotated)
    assert source.fetches == 1
    clock.now += 60
    checker.verify(rotated)
    assert source.fetches == 2
    for _ in range(5):
        with pytest.raises(UnauthorizedError):
            checker.verify(token(signed_by="thief", key_id="thief"))
    assert source.fetches == 2


def test_certificates_that_can_not_be_had_are_a_passing_failure() -> None:
    def broken() -> Certificates:
        raise TransientError("no network")

    with pytest.raises(TransientError):
        OidcVerifier(AUDIENCE, SENDER, certs=broken).verify(token())


@pytest.mark.parametrize(("audience", "sender"), [("", SENDER), (AUDIENCE, "")])
def test_a_verifier_that_would_accept_anybody_can_not_be_made(audience: str, sender: str) -> None:
    with pytest.raises(ValueError, match="must be given"):
        OidcVerifier(audience, sender, certs=Source("google"))


class TestGooglesCertificates:
    def answer(
        self, monkeypatch: pytest.MonkeyPatch, status: int, data: bytes, headers: dict[str, str] | None = None
    ) -> None:
        response = SimpleNamespace(status=status, data=data, headers=headers or {})
        monkeypatch.setattr("cloud.oidc.Request", lambda: lambda url, **options: response)

    def test_they_are_kept_for_as_long_as_google_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer(monkeypatch, 200, b'{"a": "PEM"}', {"cache-control": "public, max-age=21567, must-revalidate"})
        assert google_certificates() == ({"a": "PEM"}, 21567.0)

    def test_without_a_word_from_google_they_are_kept_for_a_minute(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer(monkeypatch, 200, b"{}")
        assert google_certificates().max_age == 60

    @pytest.mark.parametrize(
        ("status", "data"), [(503, b"{}"), (200, b"<html>"), (200, b'{"keys": []}'), (200, b"\xff")]
    )
    def test_anything_else_is_a_passing_failure(
        self, monkeypatch: pytest.MonkeyPatch, status: int, data: bytes
    ) -> None:
        self.answer(monkeypatch, status, data)
        with pytest.raises(TransientError, match="Google's certificates"):
            google_certificates()

    def test_no_answer_is_a_passing_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(url: str, **options: Any) -> None:
            raise TransportError("no network")

        monkeypatch.setattr("cloud.oidc.Request", lambda: broken)
        with pytest.raises(TransientError, match="no network"):
            google_certificates()
