from __future__ import annotations

import asyncio
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import httpx
import msgspec
import pytest

from cloud.environment import SettingsError
from events.names import asset_name
from events.recipe import Background, Effect, Recipe
from local.page import SAMPLES, STOREFRONT, PageSettings, page, page_config
from local.page_feed import server_sent
from tests.fakes import FakeStore
from tests.unit.examples import TENANT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SETTINGS = PageSettings(
    api_url="http://127.0.0.1:1",
    api_key="key",
    storage_url="http://127.0.0.1:2",
    project="p",
    pubsub="127.0.0.1:3",
    assets="a-cutout",
    tenant=TENANT,
)
ASSET = "ab" * 32


class Browser:
    """Without the feed, which needs the emulator: `tests/browser` has that."""

    def __init__(self) -> None:
        self.store = FakeStore()
        self._app = page(SETTINGS, self.store)

    def keep(self, tenant: str, data: bytes) -> None:
        self.store.create(SETTINGS.assets, asset_name(tenant, ASSET), data, content_type="image/jpeg")

    def get(self, path: str) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                return await client.get(path)

        return asyncio.run(asked())


@pytest.fixture
def browser() -> Browser:
    return Browser()


class References(HTMLParser):
    """What a page loads, and whether any of its script or style is inline."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.urls += [url for name in ("src", "href") if (url := given.get(name))]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]


class TestConfig:
    def test_the_page_offers_every_effect_of_the_recipe(self) -> None:
        assert page_config(SETTINGS, ())["effects"] == get_args(Effect)

    def test_it_offers_every_kind_of_background_and_the_service_takes_each(self) -> None:
        offered = page_config(SETTINGS, [ASSET])["backgrounds"]
        assert [example["kind"] for example in offered][:1] == ["color"]
        made = [msgspec.convert({"background": example}, Recipe).background for example in offered]
        assert {type(background) for background in made} == set(get_args(Background))

    def test_it_offers_the_shops_own_images_and_nobody_elses(self, browser: Browser) -> None:
        def images() -> list[dict[str, str]]:
            offered = browser.get("/config.json").json()["backgrounds"]
            return [example for example in offered if example["kind"] == "image"]

        assert images() == []
        browser.keep("globex", b"theirs")
        assert images() == []
        browser.keep(TENANT, b"ours")
        assert images() == [{"kind": "image", "asset": ASSET}]

    def test_every_missing_variable_is_named_at_once(self) -> None:
        with pytest.raises(SettingsError, match=r"(?s)API_URL.*API_KEY.*STORAGE_URL"):
            PageSettings.from_env({"PROJECT": "p", "PUBSUB_EMULATOR_HOST": "127.0.0.1:3"})


class TestFiles:
    def test_everything_that_the_page_loads_is_there_and_of_its_own_origin(self, browser: Browser) -> None:
        index = browser.get("/")
        found = References()
        found.feed(index.text)

        assert found.inline == []
        assert found.urls
        assert {url: browser.get(url).status_code for url in found.urls} == dict.fromkeys(found.urls, 200)

    def test_every_module_imports_files_that_are_there(self) -> None:
        imported = [
            (module.name, (module.parent / path).resolve())
            for module in STOREFRONT.rglob("*.js")
            for path in re.findall(r"from '(\..+?)'", module.read_text())
        ]
        assert imported
        assert [(name, path) for name, path in imported if not path.exists()] == []

    def test_the_samples_can_be_fetched(self, browser: Browser) -> None:
        assert {browser.get(f"/photos/{name}").headers["content-type"] for name in SAMPLES} == {"image/jpeg"}

    def test_the_shops_own_images_can_be_looked_at_and_nobody_elses(self, browser: Browser) -> None:
        browser.keep("globex", b"theirs")
        assert browser.get(f"/assets/{ASSET}").status_code == 404
        browser.keep(TENANT, b"ours")
        found = browser.get(f"/assets/{ASSET}")
        assert (found.content, found.headers["content-type"]) == (b"ours", "image/jpeg")

    @pytest.mark.parametrize("path", ["/", "/config.json", "/storefront/cutout.js", "/nothing"])
    def test_every_answer_carries_the_policy_and_is_asked_for_again(self, browser: Browser, path: str) -> None:
        headers = browser.get(path).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))

        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["worker-src"] == "'self'"
        assert policy["connect-src"] == "'self' http://127.0.0.1:1 http://127.0.0.1:2"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-cache"

    @pytest.mark.parametrize("path", ["/storefront/../pyproject.toml", "/photos/..%2f..%2fpyproject.toml"])
    def test_nothing_else_of_the_repository_is_served(self, browser: Browser, path: str) -> None:
        assert (Path(__file__).parents[3] / "pyproject.toml").exists()
        assert browser.get(path).status_code == 404


class TestFeed:
    def test_items_and_silences_are_framed_as_server_sent_events(self) -> None:
        async def items() -> AsyncIterator[dict[str, Any] | None]:
            yield {"id": "7", "topic": "jobs"}
            yield None

        async def framed() -> list[bytes]:
            return [frame async for frame in server_sent(items())]

        opened, item, silence = asyncio.run(framed())
        assert opened.startswith(b":")
        assert item == b'id: 7\ndata: {"id":"7","topic":"jobs"}\n\n'
        assert silence.startswith(b":")
        assert silence.endswith(b"\n\n")
