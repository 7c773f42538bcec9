"""What goes wrong under a shopper's hands, and the way back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from events import errors
from functions.rate_limits import RateLimitedError
from tests.browser.dying_line import DyingLine
from tests.browser.photos import jpeg
from tests.browser.shop_page import chip, choose, drop, formats, settled, state

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.browser.shopper import Shopper

ROOT: Final = Path(__file__).parents[2]
RATE_LIMITED: Final = '{"error":{"code":"rate_limited","message":"slow down","retryable":true}}'
PENDING: Final = '{"state":"queued","stage":"rendering"}'
DROPPED_LINK: Final = """
() => {
  const carried = new DataTransfer();
  carried.items.add('https://shop.example/photo.jpg', 'text/uri-list');
  document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: carried, bubbles: true, cancelable: true }));
}
"""
SCRIPTLESS: Final = """
async () => {
  const html = await (await fetch('/')).text();
  const parsed = new DOMParser().parseFromString(html, 'text/html'); // as a browser without scripts does
  return parsed.querySelector('#stage noscript > p').textContent;
}
"""
EXPLAINED: Final = """
async () => {
  const { explain } = await import('/storefront/demo/messages.js');
  return [new TypeError('x'), { code: 'new', retryable: true }, { code: 'new' }].map((error) => explain(error).title);
}
"""


class TestTrouble:
    def test_a_lost_connection_is_told_and_made_good(self, shop: Shopper) -> None:
        shop.expected.append("ERR_CONNECTION_RESET")
        data = jpeg(f"lost {shop.page.viewport_size}", 1024, 768)
        seen = "() => (window.told = [], new MutationObserver(() => window.told.push(document.body.innerText))"
        shop.page.evaluate(f"{seen}.observe(document.getElementById('now'), {{ childList: true }}), undefined)")
        with DyingLine(after=100_000) as line:
            shop.route("/uploads/", "PUT", [line.take])
            choose(shop.page, data)
            state(shop.page, "ready")

        assert len(shop.puts) == 2
        assert any("The line is bad" in text for text in shop.page.evaluate("() => window.told"))

    def test_a_connection_that_stays_lost_offers_another_try(self, desktop: Shopper, photo: bytes) -> None:
        desktop.expected.append("ERR_CONNECTION_RESET")
        desktop.page.clock.install()
        desktop.route("/uploads", "POST", [lambda route: route.abort("connectionreset")] * 6)
        choose(desktop.page, photo)
        for _ in range(12):
            desktop.page.clock.run_for(8000)
            desktop.page.wait_for_timeout(20)
        state(desktop.page, "failed")
        expect(desktop.page.locator("#problem-code")).to_have_text("network")
        desktop.page.clock.resume()
        desktop.page.click("#retry")
        state(desktop.page, "ready")

    def test_a_cancelled_upload_leads_back_and_leaves_nothing(self, shop: Shopper, photo: bytes) -> None:
        with DyingLine(after=10, closes=False) as line:
            shop.route("/uploads/", "PUT", [line.take])
            choose(shop.page, photo)
            expect(shop.page.locator("#now")).to_contain_text("Uploading")
            shop.until(lambda: line.heard, bool)
            shop.page.click("#cancel")
            state(shop.page, "empty")
        shop.until(lambda: shop.sent("DELETE", "/jobs/"), bool)
        assert shop.sent("GET", "/jobs/") == []

    @pytest.mark.parametrize(
        ("data", "kind", "code", "title"),
        [
            pytest.param(b"<html></html>" * 30, "image/jpeg", "unsupported_format", "not a photo", id="not an image"),
            pytest.param(b"\xff\xd8\xff\xe0" + bytes(300), "image/jpeg", "corrupt_image", "damaged", id="broken"),
        ],
    )
    def test_what_can_not_be_cut_out_is_explained(
        self, shop: Shopper, data: bytes, kind: str, code: str, title: str
    ) -> None:
        choose(shop.page, data, "photo.jpg", kind)
        state(shop.page, "failed")

        expect(shop.page.locator("#problem-title")).to_contain_text(title)
        expect(shop.page.locator("#problem-code")).to_have_text(code)
        expect(shop.page.locator("#retry")).to_be_hidden()
        shop.page.click("#another")
        state(shop.page, "empty")

    def test_a_file_over_the_limit_is_not_uploaded(self, shop: Shopper) -> None:
        shop.expected.append("413")
        drop(shop.page, "new Uint8Array(31 * 1024 * 1024)", "image/tiff")
        state(shop.page, "failed")

        expect(shop.page.locator("#problem-code")).to_have_text("too_large")
        assert shop.puts == []

    def test_too_many_requests_say_when_to_come_back(self, shop: Shopper, photo: bytes) -> None:
        shop.expected.append("429")
        body = '{"error":{"code":"daily_cap_reached","message":"enough","retryable":false}}'
        shop.route(f"{shop.stack.api_url}/uploads", "POST", [shop.answer(429, body, Retry_After="7200")])
        choose(shop.page, photo)
        state(shop.page, "failed")

        expect(shop.page.locator("#problem-text")).to_contain_text("Try again in 2 hours")

    def test_an_expired_upload_url_goes_unnoticed(self, shop: Shopper, photo: bytes) -> None:
        shop.expected.append("400")
        shop.route("/uploads/", "PUT", [shop.answer(400, "<Error><Code>ExpiredToken</Code></Error>")])
        choose(shop.page, photo)
        state(shop.page, "ready")
        assert (len(shop.asked), len(shop.puts)) == (2, 2)

    def test_a_look_that_fails_leaves_the_photo_and_can_be_tried_again(self, desktop: Shopper, photo: bytes) -> None:
        desktop.expected.append("409")
        choose(desktop.page, photo)
        state(desktop.page, "ready")
        body = '{"error":{"code":"conflict","message":"no","retryable":false}}'
        desktop.route(f"{desktop.stack.api_url}/jobs", "POST", [desktop.answer(409, body)])
        desktop.page.locator('.swatch[title="Pink"]').click()
        notice = desktop.page.locator("#notice")
        expect(notice).to_contain_text("Not yet")
        notice.locator("button").click()
        expect(notice).to_be_hidden()
        settled(desktop.page)
        expect(desktop.page.locator("#after")).to_have_attribute("alt", re.compile("on a background"))

    def test_every_error_code_has_words_and_a_type(self, desktop: Shopper) -> None:
        kinds = (getattr(errors, name) for name in errors.__all__)
        codes = {kind.code for kind in kinds} | {"retries_exhausted", RateLimitedError.code}
        known = desktop.page.evaluate("async () => (await import('/storefront/demo/messages.js')).KNOWN_CODES")
        types = (ROOT / "storefront" / "cutout.d.ts").read_text()

        assert codes <= set(known)
        assert {code for code in codes if f"| '{code}'" not in types} == set()

    def test_a_shopper_who_asks_too_often_can_go_on_with_the_photo_after_a_while(
        self, shop: Shopper, photo: bytes
    ) -> None:
        shop.expected.append("429")
        shop.page.clock.install()
        shop.route(f"{shop.stack.api_url}/uploads", "POST", [shop.answer(429, RATE_LIMITED, Retry_After="40")])
        choose(shop.page, photo)
        state(shop.page, "failed")
        retry = shop.page.locator("#retry")
        expect(retry).to_be_focused()
        expect(retry).to_have_text(re.compile("Try again in [34][0-9]\u00a0s"))
        shop.page.keyboard.press("Enter")
        state(shop.page, "failed")
        shop.page.clock.fast_forward(41_000)
        expect(retry).to_have_text("Try again")
        retry.click()
        state(shop.page, "ready")
        assert len(shop.asked) == 2

    def test_a_look_that_fails_leaves_the_one_that_is_shown_chosen(self, desktop: Shopper, photo: bytes) -> None:
        desktop.expected.append("429")
        desktop.page.clock.install()
        choose(desktop.page, photo)
        state(desktop.page, "ready")
        asked = f"{desktop.stack.api_url}/jobs"
        desktop.route(asked, "POST", [desktop.answer(429, RATE_LIMITED, Retry_After="40")] * 2)
        chip(desktop.page, "sepia").click()
        notice = desktop.page.locator("#notice")
        expect(notice).to_contain_text("Too many photos at once")
        expect(chip(desktop.page, "none").locator("input")).to_be_checked()
        settled(desktop.page)
        desktop.page.locator('.swatch[title="White"]').click()
        expect(notice).to_contain_text("Try again in")
        expect(desktop.page.locator('.swatch[title="Transparent"] input')).to_be_checked()
        expect(desktop.page.locator("#after")).to_have_attribute("alt", "The cutout, original")
        assert (
            desktop.page.locator("#compare").evaluate("one => one.style.getPropertyValue('--backdrop')")
            == "transparent"
        )
        assert "jpg" not in formats(desktop.page)
        desktop.page.clock.fast_forward(41_000)
        notice.locator("button").click()
        expect(desktop.page.locator("#after")).to_have_attribute("alt", re.compile("on a background"))
        expect(desktop.page.locator('.swatch[title="White"] input')).to_be_checked()

    def test_a_photo_that_takes_too_long_is_looked_for_again_without_an_upload(
        self, desktop: Shopper, photo: bytes
    ) -> None:
        hurried(desktop)
        desktop.route("/jobs/", "GET", [desktop.answer(200, PENDING)] * 9)
        choose(desktop.page, photo)
        state(desktop.page, "failed")
        expect(desktop.page.locator("#problem-code")).to_have_text("timeout")
        desktop.page.unroute_all()
        desktop.until(lambda: desktop.record("done"), bool)
        desktop.page.click("#retry")
        state(desktop.page, "ready")
        assert (len(desktop.asked), len(desktop.puts)) == (1, 1)

    def test_an_empty_file_is_called_so(self, shop: Shopper) -> None:
        choose(shop.page, b"")
        state(shop.page, "failed")
        expect(shop.page.locator("#problem-code")).to_have_text("unreadable_file")
        expect(shop.page.locator("#problem-text")).to_contain_text("It is empty")
        assert shop.asked == []

    def test_a_link_in_the_place_of_a_photo_is_answered(self, shop: Shopper, photo: bytes) -> None:
        shop.page.evaluate(DROPPED_LINK)
        expect(shop.page.locator("#notice")).to_contain_text("That was no photo")
        choose(shop.page, photo)
        state(shop.page, "ready")
        expect(shop.page.locator("#notice")).to_be_hidden()
        shop.page.evaluate(DROPPED_LINK)
        expect(shop.page.locator("#notice")).to_contain_text("That was no photo")
        state(shop.page, "ready")

    def test_a_page_that_did_not_get_all_of_it_says_so_and_keeps_the_photo(
        self, shopper: Shopper, photo: bytes
    ) -> None:
        shopper.expected.append("503")
        shopper.route("/config.json", "GET", [shopper.answer(503, "later")])
        shopper.visit()
        notice = shopper.page.locator("#notice")
        expect(notice).to_contain_text("The shop did not load")
        choose(shopper.page, photo)
        notice.locator("button").click()
        state(shopper.page, "ready")

    def test_a_page_without_scripts_says_what_it_needs(self, shopper: Shopper) -> None:
        shopper.visit("/healthz")
        assert "This page needs JavaScript" in shopper.page.evaluate(SCRIPTLESS)

    def test_an_error_without_a_known_code_is_told_by_whose_it_is(self, desktop: Shopper) -> None:
        assert desktop.page.evaluate(EXPLAINED) == [
            "Something broke on this page",
            "The service gave a strange answer",
            "This did not work",
        ]


def hurried(shopper: Shopper) -> None:
    """The page, opened again, waits for a job for no more than a second: to be ready, it has to be done by then."""

    def answer(route: Route) -> None:
        config = route.fetch().json()
        route.fulfill(body=json.dumps(config | {"timeout": 1}))

    shopper.route("/config.json", "GET", [answer])
    shopper.visit()
    expect(shopper.page.locator("#samples img")).to_have_count(4)
