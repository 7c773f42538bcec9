"""Signed URLs of the CDN: made as Google's page says, for results alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.cdn import KEY_PATTERN, CdnKey, CdnUrlSigner
from events.names import result_name
from events.recipe import Recipe
from tests.fakes import FakeSigner, SettableClock
from tests.unit.cloud.loopback_cdn import status_of

SECRET: Final = "nZtRohdNF9m3cKM24IcK4w=="
"""The key of Google's own example."""
OTHER_SECRET: Final = "AAECAwQFBgcICQoLDA0ODw=="
KEYS: Final = {"my-key": SECRET}
ENDPOINT: Final = "https://cdn.api.example.com"
LIFE: Final = timedelta(hours=1)
NOW: Final = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)


def signer_with(key: str = f"my-key:{SECRET}", *, endpoint: str = ENDPOINT) -> CdnUrlSigner:
    clock = SettableClock(NOW)
    return CdnUrlSigner(CdnKey.parse(key), FakeSigner(), endpoint=endpoint, bucket="results", clock=clock)


def url_of(name: str, *, signer: CdnUrlSigner | None = None, life: timedelta = LIFE) -> str:
    return (signer or signer_with()).get_url("results", name, expires_in=life, filename="cutout-1.png")


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        ("http://35.186.234.33/index.html?Expires=1549751401&KeyName=my-key", "CRFqQnVfFyiUyR63OQf-HRUpIwc="),
        ("http://www.example.com/?Expires=1549751401&KeyName=my-key", "OqDUFfHpN5Vxga6r80bhsgxKves="),
    ],
)
def test_signatures_are_those_of_googles_examples(url: str, signature: str) -> None:
    """Source: the sample of https://cloud.google.com/cdn/docs/using-signed-urls and its test."""
    assert CdnKey.parse(f"my-key:{SECRET}").sign(url) == signature


def test_a_url_is_the_objects_with_expiry_key_and_signature_in_this_order() -> None:
    expires = int((NOW + LIFE).timestamp())
    expected = (
        rf"{re.escape(ENDPOINT)}/acme/content/model/digest\.png\?Expires={expires}&KeyName=my-key&Signature=[\w=-]+"
    )
    assert re.fullmatch(expected, url_of("acme/content/model/digest.png"))


def test_the_names_of_results_need_no_escape() -> None:
    name = result_name("acme", "0" * 64, "inspyrenet-base-0123456789ab-fp32-p1", Recipe())
    assert urlsplit(url_of(name)).path == f"/{name}"


@given(st.text(min_size=1).filter(lambda name: name.encode(errors="ignore").decode() == name))
def test_any_name_comes_through_as_it_is_and_signed(name: str) -> None:
    url = url_of(name)
    assert url.isascii()
    parts = urlsplit(url)
    assert unquote(parts.path) == f"/{name}"
    assert (parts.netloc, parts.fragment) == ("cdn.api.example.com", "")
    assert status_of(url, KEYS, NOW) == HTTPStatus.OK


@given(st.timedeltas(timedelta(seconds=1), timedelta(days=7)))
def test_a_url_is_good_for_as_long_as_asked_and_never_longer(life: timedelta) -> None:
    url = url_of("acme/a.png", life=life)
    assert status_of(url, KEYS, NOW + life) == HTTPStatus.FORBIDDEN
    assert status_of(url, KEYS, NOW + life - timedelta(seconds=1, microseconds=1)) == HTTPStatus.OK


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("acme/a.png", "acme/b.png", id="object"),
        pytest.param("Expires=1", "Expires=2", id="expiry"),
        pytest.param("cdn.api", "api", id="host"),
        pytest.param("my-key", "other", id="another key's name"),
        pytest.param("Signature=", "Signature=x", id="signature"),
    ],
)
def test_a_changed_url_is_refused(old: str, new: str) -> None:
    url = url_of("acme/a.png")
    assert old in url
    keys = {**KEYS, "other": OTHER_SECRET}
    assert status_of(url, keys, NOW) == HTTPStatus.OK
    assert status_of(url.replace(old, new, 1), keys, NOW) == HTTPStatus.FORBIDDEN


def test_while_keys_are_changed_urls_of_both_are_good() -> None:
    keys = {"first": SECRET, "second": OTHER_SECRET}
    for name, secret in keys.items():
        url = url_of("acme/a.png", signer=signer_with(f"{name}:{secret}"))
        assert status_of(url, keys, NOW) == HTTPStatus.OK
        assert status_of(url, {other: keys[other] for other in keys if other != name}, NOW) == HTTPStatus.FORBIDDEN


def test_uploads_and_other_buckets_stay_with_the_bucket_itself() -> None:
    origin = FakeSigner()
    signer = CdnUrlSigner(
        CdnKey.parse(f"my-key:{SECRET}"), origin, endpoint=ENDPOINT, bucket="results", clock=SettableClock(NOW)
    )
    headers = {"Content-Type": "image/png"}
    put = signer.put_url("uploads", "acme/job", expires_in=LIFE, headers=headers)
    get = signer.get_url("old-results", "acme/a.png", expires_in=LIFE, filename="cutout-1.png")
    assert put.startswith("https://storage.test/uploads/acme/job?")
    assert get.startswith("https://storage.test/old-results/acme/a.png?")
    assert [(url.method, url.headers, url.filename) for url in origin.signed] == [
        ("PUT", headers, ""),
        ("GET", {}, "cutout-1.png"),
    ]


@pytest.mark.parametrize("key", ["my-key", f":{SECRET}", f"My-Key:{SECRET}", "my-key:c2hvcnQ=", f"my-key:{SECRET}x"])
def test_text_that_is_no_named_key_does_not_match(key: str) -> None:
    assert re.fullmatch(KEY_PATTERN, key) is None
    assert re.fullmatch(KEY_PATTERN, f"my-key:{SECRET}")


def test_a_key_does_not_show_its_secret() -> None:
    key = CdnKey.parse(f"my-key:{SECRET}")
    assert len(key.secret) == 16
    assert repr(key) == "CdnKey(name='my-key')"
