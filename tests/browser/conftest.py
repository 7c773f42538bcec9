"""Debian's Chromium on the whole local system, with a network that takes no time and the demo shop."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect, sync_playwright

from local.stack import Stack
from tests.browser.looks import DESKTOP, DEVICES
from tests.browser.photos import jpeg
from tests.browser.shop_page import opened, saving_data
from tests.browser.shopper import PATIENCE, Shopper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, ViewportSize

HERE: Final = Path(__file__).parent
CHROMIUMS: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first paints pages alone; the others run the browser's own windows as well, which nobody sees."""
SCREEN: Final[ViewportSize] = {"width": 1280, "height": 900}


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.instant(tmp_path_factory.mktemp("browser")) as running:
        running.start_page()
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Ends with this folder's tests: Playwright's event loop is in the way of those that run one of their own."""
    chromium = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    assert chromium is not None, "Chromium is missing: apt-get install chromium-headless-shell"
    expect.set_options(timeout=1000 * PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def npm() -> Path:
    """`node_modules` with what `package-lock.json` pins."""
    lock, installed = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        assert shutil.which("npm") is not None, "npm is missing: apt-get install npm"
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=HERE, check=True, timeout=300)
    return HERE / "node_modules"


@pytest.fixture
def open_shopper(browser: Browser, stack: Stack) -> Iterator[Callable[..., Shopper]]:
    """Makes shoppers, each with a browser profile of its own. Takes what `Browser.new_context` takes.

    Afterwards none of their pages may have written an error on the console that the test did not name in `expected`.
    """
    shoppers: list[Shopper] = []

    def made(viewport: ViewportSize = SCREEN, **context: object) -> Shopper:
        shopper = Shopper(browser.new_context(viewport=viewport, **context), stack)  # type: ignore[arg-type]  # passed on
        shoppers.append(shopper)
        return shopper

    yield made
    for shopper in shoppers:
        shopper.context.close()
    for shopper in shoppers:
        assert shopper.unexpected_errors() == []


@pytest.fixture
def shopper(open_shopper: Callable[..., Shopper]) -> Shopper:
    return open_shopper()


@pytest.fixture(params=DEVICES)
def shop(request: pytest.FixtureRequest, open_shopper: Callable[..., Shopper]) -> Shopper:
    """The demo shop, open on each of the devices, for a shopper who saves data: it fetches nothing ahead.

    And who wants nothing to move, which software that paints without a GPU takes long for.
    """
    return opened(saving_data(open_shopper(**DEVICES[request.param], reduced_motion="reduce")))


@pytest.fixture
def desktop(open_shopper: Callable[..., Shopper]) -> Shopper:
    return opened(saving_data(open_shopper(**DESKTOP, reduced_motion="reduce")))


@pytest.fixture
def photo(request: pytest.FixtureRequest) -> bytes:
    return jpeg(request.node.nodeid)
