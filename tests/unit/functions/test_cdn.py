"""Results over the CDN: what the API hands out can be fetched there, and is what was stored."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import pytest

from cloud.cdn import CdnKey, CdnUrlSigner
from cloud.environment import SettingsError
from cloud.signing import V4UrlSigner
from functions.settings import CdnSettings
from functions.wiring import Parts
from local.signing_key import ensure_signing_key
from tests import asking
from tests.fakes import FakeSigner
from tests.unit.cloud.loopback_cdn import loopback_cdn
from tests.unit.functions.test_settings import COMMON
from tests.unit.scene import BUCKETS, RECIPES, photo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobs.ports import UrlSigner
    from tests.unit.functions.api import Api

SECRET: Final = "nZtRohdNF9m3cKM24IcK4w=="
CDN: Final = {"CDN_HOST": "cdn.api.test", "CDN_KEY": f"first:{SECRET}"}


@pytest.fixture
def cdn_api(api: Api) -> Iterator[Api]:
    """The API, its results behind a CDN on loopback."""
    scene = api.scene
    with loopback_cdn(scene.store, BUCKETS.results, {"first": SECRET}, scene.clock) as endpoint:
        key = CdnKey.parse(CDN["CDN_KEY"])
        api.signer = CdnUrlSigner(key, FakeSigner(), endpoint=endpoint, bucket=BUCKETS.results, clock=scene.clock)
        yield api


def test_a_done_jobs_results_are_fetched_from_the_cdn(cdn_api: Api) -> None:
    job = cdn_api.scene.run()
    told = cdn_api.scene.completed(job)
    for shown, result in zip(cdn_api.status_of(job).json["results"], told.results, strict=True):
        stored = cdn_api.scene.store.peek(BUCKETS.results, result.object.name)
        assert stored is not None
        answer = asking.get(shown["url"])
        assert (answer.content, answer.headers["Content-Type"]) == (stored.data, shown["content_type"])


def test_a_photo_that_is_known_is_answered_with_urls_of_the_cdn_too(cdn_api: Api) -> None:
    cdn_api.scene.run(recipes=RECIPES[:1])
    wanted = {"content_type": "image/png", "size": len(photo()), "recipes": [RECIPES[0]]}
    reply = cdn_api.request_upload(wanted | {"sha256": hashlib.sha256(photo()).hexdigest()})
    assert reply.status == HTTPStatus.OK
    (result,) = reply.json["results"]
    assert len(asking.get(result["url"]).content) == result["bytes"]


def test_uploads_go_to_the_bucket(cdn_api: Api) -> None:
    reply = cdn_api.request_upload({"content_type": "image/png", "size": 100})
    assert reply.json["upload"]["url"].startswith(f"https://storage.test/{BUCKETS.uploads}/")


def test_after_an_hour_the_status_has_to_be_asked_again(cdn_api: Api) -> None:
    job = cdn_api.scene.run(recipes=RECIPES[:1])
    url = cdn_api.status_of(job).json["results"][0]["url"]
    cdn_api.scene.clock.advance(3600)
    assert asking.get(url).status_code == HTTPStatus.FORBIDDEN
    assert asking.get(cdn_api.status_of(job).json["results"][0]["url"]).is_success


def test_without_a_signature_nothing_is_given_out(cdn_api: Api) -> None:
    job = cdn_api.scene.run(recipes=RECIPES[:1])
    url = cdn_api.status_of(job).json["results"][0]["url"]
    assert asking.get(url).is_success
    assert asking.get(url.partition("?")[0]).status_code == HTTPStatus.FORBIDDEN


class TestSettings:
    def test_without_them_the_bucket_gives_out_results(self) -> None:
        assert CdnSettings.from_env({}) is None

    def test_they_are_host_and_named_key(self) -> None:
        settings = CdnSettings.from_env(CDN)
        assert settings is not None
        assert settings.endpoint == "https://cdn.api.test"
        assert (settings.key.name, len(settings.key.secret)) == ("first", 16)

    @pytest.mark.parametrize("missing", sorted(CDN))
    def test_one_without_the_other_is_named(self, missing: str) -> None:
        with pytest.raises(SettingsError) as refused:
            CdnSettings.from_env({name: value for name, value in CDN.items() if name != missing})
        assert set(refused.value.variables) == {missing}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("CDN_HOST", "https://cdn.api.test"),
            ("CDN_HOST", "cdn.api.test/results"),
            ("CDN_KEY", SECRET),
            ("CDN_KEY", "first:c2hvcnQ="),
        ],
    )
    def test_a_wrong_one_is_named_and_no_key_is_shown(self, name: str, value: str) -> None:
        with pytest.raises(SettingsError) as refused:
            CdnSettings.from_env(CDN | {name: value})
        assert set(refused.value.variables) == {name}
        assert name == "CDN_HOST" or value not in str(refused.value)

    @pytest.mark.parametrize(("cdn", "kind"), [({}, V4UrlSigner), (CDN, CdnUrlSigner)])
    def test_a_function_signs_for_the_cdn_where_there_is_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cdn: dict[str, str], kind: type[UrlSigner]
    ) -> None:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
        key = ensure_signing_key(tmp_path / "key.json", "shop")
        assert type(Parts(COMMON | {"SIGNING_KEY_FILE": str(key)} | cdn).signer) is kind
