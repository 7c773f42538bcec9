"""Intents: told once a stage and session, and not at all to those who would rather not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.looks import PHONE
from tests.browser.shop_page import opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.stack import Stack
    from tests.browser.shopper import Shopper

PAGE = """
async ([api, key]) => {
  document.body.innerHTML =
    '<div id="far"></div><section id="s"><button id="b">Upload</button><input id="f" type="file"></section>';
  document.getElementById('far').style.height = '3000px';
  const { watch } = await import('/storefront/warmer.js');
  const [button, section, input] = ['b', 's', 'f'].map((id) => document.getElementById(id));
  window.warmer = watch({ api, key, button, section, input });
}
"""

SESSION = "() => JSON.parse(sessionStorage.getItem('cutout-intents')).session"


class Intents:
    """What the service was told since, by its log."""

    def __init__(self, stack: Stack) -> None:
        self._log = stack.state / "logs" / "functions-api.log"
        self._from = self._log.stat().st_size

    def __call__(self) -> list[str]:
        lines = self._log.read_bytes()[self._from :].decode(errors="replace").splitlines()
        told: list[dict[str, Any]] = [
            json.loads(line) for line in lines if "intent_shown" in line and line.endswith("}")
        ]
        return [one["stage"] for one in told]


@pytest.fixture
def intents(stack: Stack) -> Intents:
    return Intents(stack)


def product_page(shopper: Shopper) -> None:
    shopper.visit("/healthz")
    shopper.page.evaluate(PAGE, [shopper.stack.api_url, shopper.stack.api_key])


def beacons(shopper: Shopper) -> int:
    """That left the page; the browser does not show what is in them."""
    return len(shopper.sent("POST", "/intents"))


def test_each_stage_on_the_way_to_an_upload_is_told_once(shopper: Shopper, intents: Intents) -> None:
    product_page(shopper)
    page = shopper.page
    for _ in range(2):
        page.evaluate("() => scrollTo(0, 2900)")
        shopper.until(intents, lambda told: "scroll" in told)
        page.hover("#b")
        shopper.until(intents, lambda told: "hover" in told)
        with page.expect_file_chooser():
            page.click("#f")
        shopper.until(intents, lambda told: "file_chosen" in told)

    assert sorted(intents()) == ["file_chosen", "hover", "page_view", "scroll"]
    assert beacons(shopper) == 4


def test_a_pointer_that_passes_by_says_nothing_and_the_focus_as_much_as_a_pointer(
    shopper: Shopper, intents: Intents
) -> None:
    shopper.page.clock.install()
    product_page(shopper)
    shopper.page.evaluate("() => scrollTo(0, 2900)")
    shopper.until(intents, lambda told: "scroll" in told)
    shopper.page.hover("#b")
    shopper.page.clock.run_for(400)
    shopper.page.mouse.move(0, 0)
    shopper.page.clock.run_for(2000)
    assert beacons(shopper) == 2
    shopper.page.focus("#b")
    shopper.page.clock.run_for(600)
    shopper.until(intents, lambda told: "hover" in told)


def test_a_second_page_of_the_session_tells_only_what_is_new(shopper: Shopper, intents: Intents) -> None:
    product_page(shopper)
    session = shopper.page.evaluate(SESSION)
    product_page(shopper)
    shopper.page.evaluate("() => window.warmer.tell('file_chosen')")
    shopper.until(intents, lambda told: "file_chosen" in told)

    assert sorted(intents()) == ["file_chosen", "page_view"]
    assert shopper.page.evaluate(SESSION) == session


@pytest.mark.parametrize(
    "wish",
    [
        "Object.defineProperty(navigator.connection, 'saveData', { get: () => true })",
        "Object.defineProperty(navigator, 'doNotTrack', { get: () => '1' })",
        "Object.defineProperty(navigator, 'globalPrivacyControl', { get: () => true })",
    ],
    ids=["Save-Data", "Do-Not-Track", "Global Privacy Control"],
)
def test_who_saves_data_or_does_not_want_to_be_tracked_is_left_alone(
    shopper: Shopper, intents: Intents, wish: str
) -> None:
    shopper.context.add_init_script(wish)
    product_page(shopper)
    shopper.page.evaluate("() => window.warmer.tell('file_chosen')")
    shopper.page.focus("#b")
    shopper.page.wait_for_timeout(700)

    assert (beacons(shopper), intents()) == (0, [])


def test_a_warmer_that_was_stopped_tells_nothing(shopper: Shopper) -> None:
    product_page(shopper)
    shopper.page.evaluate("() => { window.warmer.stop(); window.warmer.tell('hover'); }")
    assert beacons(shopper) == 1


def test_the_demo_shop_tells_of_its_page_and_of_the_photo(
    open_shopper: Callable[..., Shopper], intents: Intents
) -> None:
    shopper = open_shopper()
    shopper.visit()
    shopper.page.set_input_files("#file", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"no photo"})
    shopper.expected.append("415")

    shopper.until(intents, lambda told: {"page_view", "file_chosen"} <= set(told))


def test_opening_the_camera_tells_of_a_photo_too(open_shopper: Callable[..., Shopper], intents: Intents) -> None:
    phone = opened(open_shopper(**PHONE))
    with phone.page.expect_file_chooser():
        phone.page.tap("#camera-button")

    phone.until(intents, lambda told: "file_chosen" in told)
