"""The demo shop as a shopper uses it, on a phone and on a desktop."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import TYPE_CHECKING, Final, get_args

import pytest
from PIL import Image
from playwright.sync_api import expect

from events.recipe import Background
from tests.browser.looks import DESKTOP, PHONE
from tests.browser.photos import heic, jpeg
from tests.browser.shop_page import chip, choose, drop, fact, formats, held, opened, settled, state

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.shopper import Shopper

POINTED: Final = """
([effect, type, pointerType]) =>
  document.querySelector(`.chip:has([value=${effect}])`).dispatchEvent(new PointerEvent(type, { pointerType }))
"""


class TestUpload:
    def test_a_photo_comes_back_cut_out_with_what_it_took_and_needs_no_second_upload(
        self, shop: Shopper, photo: bytes
    ) -> None:
        choose(shop.page, photo)
        state(shop.page, "ready")

        assert fact(shop.page, "Cache").startswith("Miss")
        assert fact(shop.page, "Picture").startswith("128 \u00d7 96")
        assert re.fullmatch(r"\$0\.0+[1-9]+", fact(shop.page, "Cost"))
        assert len(shop.puts) == 1
        feed = shop.page.locator("#feed")
        for place in ("Bucket", "GPU queue", "Result", "Cost"):
            expect(feed.locator(f"b:text-is('{place}')").first).to_be_attached()

        shop.page.click("#anew")
        choose(shop.page, photo)
        state(shop.page, "ready")

        assert fact(shop.page, "Cache").startswith("Hit")
        assert len(shop.puts) == 1

    @pytest.mark.parametrize("way", ["drop", "paste"])
    def test_a_photo_can_be_dropped_or_pasted(self, desktop: Shopper, photo: bytes, way: str) -> None:
        drop(desktop.page, f"new Uint8Array({list(photo)})", "image/jpeg", way=way)
        state(desktop.page, "ready")
        assert len(desktop.puts) == 1

    def test_a_photo_can_be_taken_on_a_phone(self, open_shopper: Callable[..., Shopper], photo: bytes) -> None:
        phone = opened(open_shopper(**PHONE))
        camera = phone.page.locator("#camera")
        assert camera.get_attribute("capture") == "environment"
        expect(phone.page.locator("#camera-button")).to_be_visible()
        camera.set_input_files({"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photo})
        state(phone.page, "ready")

    def test_heic_is_cut_out_though_the_browser_can_not_show_it(self, shop: Shopper) -> None:
        choose(shop.page, heic(shop.page.url), "IMG_0001.HEIC", "")
        state(shop.page, "ready")

        expect(shop.page.locator("#compare")).to_have_class("compare alone")
        expect(shop.page.locator("#after")).to_be_visible()


class TestLooks:
    def test_another_effect_needs_no_upload_and_is_there_at_once_the_second_time(
        self, shop: Shopper, photo: bytes
    ) -> None:
        choose(shop.page, photo)
        state(shop.page, "ready")
        chip(shop.page, "sepia").click()
        expect(shop.page.locator("#after")).to_have_attribute("alt", re.compile("sepia"))
        settled(shop.page)
        styled = shop.page.locator("#after").get_attribute("src")
        chip(shop.page, "none").click()
        expect(shop.page.locator("#after")).to_have_attribute("alt", re.compile("original"))
        asked = len(shop.sent("POST", "/jobs"))
        chip(shop.page, "sepia").click()
        expect(shop.page.locator("#after")).to_have_attribute("src", styled or "")

        assert len(shop.sent("POST", "/jobs")) == asked
        assert len(shop.puts) == 1
        assert fact(shop.page, "Cache").startswith("Matte")

    def test_the_chips_are_the_effects_of_the_service_and_show_the_shoppers_photo(
        self, open_shopper: Callable[..., Shopper], photo: bytes
    ) -> None:
        desktop = opened(open_shopper(**DESKTOP))
        choose(desktop.page, photo)
        state(desktop.page, "ready")
        offered = desktop.page.eval_on_selector_all("#effects input", "inputs => inputs.map(input => input.value)")
        images = desktop.page.locator("#effects img")

        assert (
            offered == json.loads(desktop.page.request.get(f"{desktop.stack.page_url}/config.json").text())["effects"]
        )
        desktop.until(
            lambda: images.evaluate_all("all => new Set(all.map(image => image.src)).size"), lambda n: n == len(offered)
        )
        assert len(desktop.sent("POST", "/jobs")) == 1

    def test_a_plain_background_stands_in_until_it_is_rendered(self, desktop: Shopper, photo: bytes) -> None:
        choose(desktop.page, photo)
        state(desktop.page, "ready")
        asked = held(desktop.page, "**/jobs", "POST")
        desktop.page.locator('.swatch[title="Yellow"]').click()
        desktop.until(lambda: asked, bool)
        backdrop = "figure => getComputedStyle(figure).getPropertyValue('--backdrop')"
        assert desktop.page.eval_on_selector("#compare", backdrop) == "#ffd166"
        for route in asked:
            route.continue_()
        settled(desktop.page)

        assert desktop.page.eval_on_selector("#compare", backdrop) == "transparent"
        assert len(desktop.puts) == 1

    def test_every_background_that_the_page_offers_can_be_rendered(self, desktop: Shopper, photo: bytes) -> None:
        choose(desktop.page, photo)
        state(desktop.page, "ready")
        swatches = desktop.page.locator('.swatch:not([data-kind="transparent"]):not([data-kind="color"]):not(.pick)')
        kinds = swatches.evaluate_all("all => all.map((one) => one.dataset.kind)")
        assert {"color", *kinds} == {kind.__struct_config__.tag for kind in get_args(Background)}
        for swatch in swatches.all():
            swatch.click()
            settled(desktop.page)
            expect(desktop.page.locator("#notice")).to_be_hidden()
            expect(desktop.page.locator("#after")).to_have_attribute("alt", re.compile("on a background"))

    def test_an_own_colour_can_be_chosen_as_it_is_and_changed(self, desktop: Shopper, photo: bytes) -> None:
        choose(desktop.page, photo)
        state(desktop.page, "ready")
        own = desktop.page.locator('.swatch[title="Your colour"]')
        own.click()
        expect(desktop.page.locator("#after")).to_have_attribute("alt", re.compile("on a background"))
        settled(desktop.page)
        desktop.page.fill("#own-color", "#123456")
        expect(own.locator("input")).to_be_checked()
        desktop.until(lambda: len(desktop.sent("POST", "/jobs")), lambda asked: asked == 2)
        settled(desktop.page)

        colors = [
            json.loads(request.post_data or "")["recipes"][0]["background"]["color"]
            for request in desktop.sent("POST", "/jobs")
        ]
        assert colors == ["#8f83ff", "#123456"]
        assert own.evaluate("swatch => swatch.style.getPropertyValue('--color')") == "#123456"

    def test_only_a_pointer_that_rests_on_a_chip_fetches_its_look_ahead(
        self, open_shopper: Callable[..., Shopper], photo: bytes
    ) -> None:
        shopper = opened(open_shopper(**DESKTOP))
        page = shopper.page
        choose(page, photo)
        state(page, "ready")
        page.mouse.move(0, 0)
        shopper.until(lambda: len(shopper.sent("POST", "/jobs")), lambda asked: asked == 1)
        page.evaluate(POINTED, ["sepia", "pointerenter", "mouse"])
        page.evaluate(POINTED, ["sepia", "pointerleave", "mouse"])
        page.evaluate(POINTED, ["sketch", "pointerenter", "touch"])
        page.wait_for_timeout(600)
        assert len(shopper.sent("POST", "/jobs")) == 1
        page.evaluate(POINTED, ["dither", "pointerenter", "mouse"])
        shopper.until(lambda: len(shopper.sent("POST", "/jobs")), lambda asked: asked == 2)

    def test_the_tally_has_what_was_fetched_ahead_too(self, open_shopper: Callable[..., Shopper], photo: bytes) -> None:
        shopper = opened(open_shopper(**DESKTOP))
        choose(shopper.page, photo)
        state(shopper.page, "ready")
        first = fact(shopper.page, "Cost")
        tally = shopper.page.locator("#tally")
        expect(tally).to_contain_text("2 jobs, 1 upload")
        assert not tally.inner_text().endswith(first)

    def test_a_download_tells_what_it_does_and_is_asked_for_once(self, desktop: Shopper, photo: bytes) -> None:
        page = desktop.page
        choose(page, photo)
        state(page, "ready")
        asked = held(page, "**/jobs", "POST")
        page.click("#download")
        expect(page.locator("#download")).to_have_text("Rendering\u2026")
        expect(page.locator("#spoken")).to_have_text("Rendering it at full size")
        page.keyboard.press("Enter")
        with page.expect_download():
            desktop.until(lambda: asked, bool)[0].continue_()
        expect(page.locator("#spoken")).to_have_text("Downloaded")
        expect(page.locator("#download")).to_have_text("Download")
        assert len(asked) == 1

    def test_the_download_is_of_full_size_in_the_chosen_look_and_a_jpeg_only_with_a_background(
        self, desktop: Shopper
    ) -> None:
        choose(desktop.page, jpeg("wide", 2000, 40))
        state(desktop.page, "ready")
        chip(desktop.page, "black_white").click()
        settled(desktop.page)
        with desktop.page.expect_download() as saving:
            desktop.page.click("#download")
        picture = Image.open(BytesIO(saving.value.path().read_bytes()))

        assert saving.value.suggested_filename == "cutout.png"
        assert (picture.size, picture.mode) == ((2000, 40), "RGBA")
        assert fact(desktop.page, "Picture").startswith("2000 \u00d7 40")
        assert "jpg" not in formats(desktop.page)
        desktop.page.locator('.swatch[title="White"]').click()
        settled(desktop.page)
        desktop.page.select_option("#format", "jpg")
        with desktop.page.expect_download() as saving:
            desktop.page.click("#download")
        assert Image.open(BytesIO(saving.value.path().read_bytes())).format == "JPEG"


class TestEverybody:
    def test_all_of_it_works_with_the_keyboard(self, desktop: Shopper) -> None:
        page = desktop.page
        press(page, "Tab", until="#file")
        press(page, "Tab", until="#samples button")
        page.keyboard.press("Enter")
        state(page, "ready")
        expect(page.locator("#slider")).to_be_focused()
        expect(page.locator("#slider")).to_have_value("50")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#slider")).to_have_value("51")
        press(page, "Tab", until='input[name="effect"]')
        page.keyboard.press("ArrowRight")
        expect(page.locator("#after")).to_have_attribute("alt", re.compile("black & white"))
        press(page, "Tab", until='input[name="background"]')
        press(page, "Tab", until="#download")
        press(page, "Tab", until="#anew")
        page.keyboard.press("Enter")
        state(page, "empty")
        expect(page.locator("#file")).to_be_focused()


def press(page: Page, key: str, *, until: str) -> None:
    """Until what has the focus is one of those; fails after a round of the page."""
    for _ in range(30):
        page.keyboard.press(key)
        if page.evaluate("wanted => document.activeElement.matches(wanted)", until):
            return
    raise AssertionError(f"{key} never leads to {until}")
