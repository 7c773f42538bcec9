"""What a browser does with the bucket: preflight, signed PUT, signed GET."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from cloud.signing import V4UrlSigner
from local.fake_gcs import SIGNED_HEADERS
from local.signing_key import ensure_signing_key
from tests import asking

if TYPE_CHECKING:
    from pathlib import Path

    from cloud.storage import GoogleObjectStore
    from jobs.ports import UrlSigner
    from local.fake_gcs import FakeGcs

BUCKET = "results"
LIFE = timedelta(minutes=5)
ORIGIN = "https://shop.example"
HEADERS = {
    "Content-Type": "image/jpeg",
    "x-goog-content-length-range": "1,1000",
    "x-goog-if-generation-match": "0",
    "x-goog-meta-recipes": '[{"effect":"none"},{"format":"mask"}]',
    "x-goog-meta-traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


@pytest.fixture(scope="module")
def signer(storage: FakeGcs, project: str, state: Path) -> UrlSigner:
    key = ensure_signing_key(state / "signing-key.json", project)
    return V4UrlSigner.from_key_file(str(key), endpoint=storage.url)


def test_a_signed_put_stores_the_photo_with_the_metadata_that_was_signed(
    signer: UrlSigner, store: GoogleObjectStore, unique: str
) -> None:
    url = signer.put_url(BUCKET, f"acme/{unique}", expires_in=LIFE, headers=HEADERS)
    asking.put(url, content=b"photo", headers=HEADERS).raise_for_status()

    stored = store.read(BUCKET, f"acme/{unique}")
    assert stored is not None
    assert (stored.data, stored.stat.content_type) == (b"photo", "image/jpeg")
    assert stored.stat.metadata == {
        "recipes": HEADERS["x-goog-meta-recipes"],
        "traceparent": HEADERS["x-goog-meta-traceparent"],
    }


def test_a_signed_get_answers_the_object_to_a_page_of_another_origin(
    signer: UrlSigner, store: GoogleObjectStore, unique: str
) -> None:
    store.create(BUCKET, unique, b"cutout", content_type="image/png")
    url = signer.get_url(BUCKET, unique, expires_in=LIFE, filename="cutout.png")

    answer = asking.get(url, headers={"Origin": ORIGIN})

    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (200, b"cutout", "image/png")
    assert answer.headers["Access-Control-Allow-Origin"] in {"*", ORIGIN}


def test_a_preflight_allows_the_put_with_every_signed_header(signer: UrlSigner, unique: str) -> None:
    assert {name.lower() for name in HEADERS} == {name.lower() for name in SIGNED_HEADERS}
    url = signer.put_url(BUCKET, unique, expires_in=LIFE, headers=HEADERS)

    answer = httpx.options(
        url,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": ",".join(sorted(name.lower() for name in HEADERS)),
        },
    )

    assert answer.is_success
    assert answer.headers["Access-Control-Allow-Origin"] in {"*", ORIGIN}
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    allowed = {name.strip().lower() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert allowed >= {name.lower() for name in HEADERS}
