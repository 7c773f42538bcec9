"""The demo shop as a shopper uses it, on a phone and on a desktop."""

from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from PIL import Image
from playwright.sync_api import expect

from events import errors
from functions.rate_limits import RateLimitedError
from tests.browser.dying_line import DyingLine
from tests.browser.looks import DESKTOP, DEVICES, PHONE, look
from tests.browser.photos import heic, jpeg

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, Route

    from tests.browser.shopper import Shopper

ROOT: Final = Path(__file__).parents[2]
SAMPLE: Final = ROOT / "assets" / "photos" / "phone-portrait.jpg"
SAVE_DATA: Final = "Object.defineProperty(navigator.connection, 'saveData', { get: () => true })"


@pytest.fixture(params=DEVICES)
def shop(request: pytest.FixtureRequest, open_shopper: Callable[..., Shopper]) -> Shopper:
    """The page, open on each of the devices, for a shopper who saves data: it fetches nothing ahead."""
    return opened(saving_data(open_shopper(**DEVICES[request.param])))


@pytest.fixture
def desktop(open_shopper: Callable[..., Shopper]) -> Shopper:
    return opened(saving_data(open_shopper(**DESKTOP)))


@pytest.fixture
def photo(request: pytest.FixtureRequest) -> bytes:
    return jpeg(request.node.nodeid)


def saving_data(shopper: Shopper) -> Shopper:
    shopper.context.add_init_script(SAVE_DATA)
    return shopper


def opened(shopper: Shopper) -> Shopper:
    shopper.visit()
    expect(shopper.page.locator("#samples img")).to_have_count(4)
    return shopper


def choose(page: Page, data: bytes, name: str = "photo.jpg", kind: str = "image/jpeg") -> None:
    page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": data})


def drop(page: Page, content: str, kind: str, *, way: str = "drop") -> None:
    """A file whose content is that expression of JavaScript; or paste it."""
    page.evaluate(
        """([way, type]) => {
          const carried = new DataTransfer();
          carried.items.add(new File([CONTENT], 'photo', { type }));
          const event = way === 'drop'
            ? new DragEvent('drop', { dataTransfer: carried, bubbles: true, cancelable: true })
            : new ClipboardEvent('paste', { clipboardData: carried, bubbles: true });
          document.body.dispatchEvent(event);
        }""".replace("CONTENT", content),
        [way, kind],
    )


def state(page: Page, wanted: str) -> None:
    expect(page.locator("body")).to_have_attribute("data-state", wanted)


def chip(page: Page, effect: str) -> Any:
    return page.locator(f'.chip:has(input[value="{effect}"])')


def settled(page: Page) -> None:
    expect(page.locator("#stage")).not_to_have_class(re.compile("busy"))


def fact(page: Page, name: str) -> str:
    return page.locator(f"#facts dt:text-is('{name}') + dd").inner_text()


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

    def test_a_deleted_photo_is_gone_with_every_look_of_it(
        self, open_shopper: Callable[..., Shopper], photo: bytes
    ) -> None:
        desktop = opened(open_shopper(**DESKTOP))
        choose(desktop.page, photo)
        state(desktop.page, "ready")
        desktop.page.click("#remove")
        state(desktop.page, "empty")
        choose(desktop.page, photo)
        state(desktop.page, "ready")

        assert fact(desktop.page, "Cache").startswith("Miss")
        assert len(desktop.puts) == 2


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
        held: list[Route] = []
        desktop.page.route("**/jobs", lambda route: held.append(route))  # noqa: PLW0108  # no builtin can be given
        desktop.page.locator('.swatch[title="Yellow"]').click()
        desktop.until(lambda: held, bool)
        backdrop = "figure => getComputedStyle(figure).getPropertyValue('--backdrop')"
        assert desktop.page.eval_on_selector("#compare", backdrop) == "#ffd166"
        for route in held:
            route.continue_()
        settled(desktop.page)

        assert desktop.page.eval_on_selector("#compare", backdrop) == "transparent"
        assert len(desktop.puts) == 1

    def test_every_background_that_the_page_offers_can_be_rendered(self, desktop: Shopper, photo: bytes) -> None:
        choose(desktop.page, photo)
        state(desktop.page, "ready")
        swatches = desktop.page.locator('.swatch:not([data-kind="transparent"]):not([data-kind="color"]):not(.own)')
        for swatch in swatches.all():
            swatch.click()
            settled(desktop.page)
            expect(desktop.page.locator("#notice")).to_be_hidden()
            expect(desktop.page.locator("#after")).to_have_attribute("alt", re.compile("on a background"))

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

    @pytest.mark.parametrize("device", DEVICES)
    def test_every_state_is_accessible_fits_and_is_kept_as_a_picture(
        self, open_shopper: Callable[..., Shopper], npm: Path, device: str
    ) -> None:
        shopper = opened(open_shopper(**DEVICES[device], reduced_motion="reduce"))
        shopper.expected.append("ERR_CONNECTION_RESET")
        page = shopper.page
        page.evaluate((npm / "axe-core" / "axe.min.js").read_text())
        looked_at(page, f"{device}-empty")
        with DyingLine(after=10, closes=False) as line:
            shopper.route("/uploads/", "PUT", [line.take])
            choose(page, sample(device))
            expect(page.locator("#now")).to_contain_text("Uploading")
            looked_at(page, f"{device}-uploading")
            page.click("#cancel")
        choose(page, sample(device))
        state(page, "ready")
        chip(page, "pop_art").click()
        settled(page)
        page.click("#timings summary")
        looked_at(page, f"{device}-ready")
        page.click("#anew")
        choose(page, b"<html></html>" * 30)
        state(page, "failed")
        looked_at(page, f"{device}-failed")


def sample(name: str) -> bytes:
    """The photo that the repository ships, in a version of its own."""
    encoded = BytesIO()
    photo = Image.open(SAMPLE)
    photo.save(encoded, "jpeg", comment=name, exif=photo.getexif())
    return encoded.getvalue()


def looked_at(page: Page, name: str) -> None:
    """A picture of it all; of a phone, such a one of any but the finished page shows what only a desktop has."""
    look(page, name, whole=page.locator("#tools").is_visible())


def press(page: Page, key: str, *, until: str) -> None:
    """Until what has the focus is one of those; fails after a round of the page."""
    for _ in range(30):
        page.keyboard.press(key)
        if page.evaluate("wanted => document.activeElement.matches(wanted)", until):
            return
    raise AssertionError(f"{key} never leads to {until}")


def formats(page: Page) -> list[str]:
    offered: list[str] = page.eval_on_selector_all("#format option", "all => all.map(option => option.value)")
    return offered
