from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.unit.webhooks.world import secret
from webhooks.signing import check_secret, signature_headers

BODY = '{"type":"x","naïve":"é"}'.encode()


@pytest.fixture
def now() -> datetime:
    """The verifying side looks at the real clock."""
    return datetime.now(UTC)


def test_the_signature_is_the_specifications_own_example() -> None:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    headers = signature_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        at=datetime.fromtimestamp(1614265330, UTC),
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_receiver_with_any_of_the_valid_secrets_can_verify(now: datetime) -> None:
    old, new, other = secret(1), secret(2), secret(3)
    headers = signature_headers("id", BODY, [old, new], at=now)
    for known in (old, new):
        assert Webhook(known).verify(BODY, headers) == {"type": "x", "naïve": "é"}
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(BODY, headers)


@pytest.mark.parametrize("changed", [{"webhook-id": "other"}, {"webhook-timestamp": "1"}])
def test_the_signature_binds_id_and_time(changed: dict[str, str], now: datetime) -> None:
    headers = signature_headers("id", BODY, [secret(1)], at=now)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret(1)).verify(BODY, headers | changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret(1)).verify(BODY + b" ", headers)


def test_the_time_is_the_same_in_any_zone(now: datetime) -> None:
    there = now.astimezone(timezone(timedelta(hours=9)))
    assert signature_headers("id", BODY, [secret(1)], at=there) == signature_headers("id", BODY, [secret(1)], at=now)


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_has_24_to_64_bytes(size: int) -> None:
    check_secret("whsec_" + base64.b64encode(bytes(size)).decode())


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "whsec_",
        base64.b64encode(bytes(32)).decode(),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        "whsec_" + base64.b64encode(bytes(32)).decode().rstrip("="),
        "whsec_" + base64.b64encode(bytes(32)).decode() + "\n",
        "whsec_ключ",
    ],
)
def test_what_is_no_secret_is_refused_without_being_shown(wrong: str) -> None:
    with pytest.raises(ValueError, match="whsec_ and base64 of 24 to 64 bytes") as caught:
        check_secret(wrong)
    assert len(wrong) < 10 or wrong not in str(caught.value)
