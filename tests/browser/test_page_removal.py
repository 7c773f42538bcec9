"""What is left of a photo that a shopper deletes, replaces or gives up: nothing, and no other photo goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwright.sync_api import expect

from tests.browser.dying_line import DyingLine
from tests.browser.looks import DESKTOP
from tests.browser.photos import jpeg
from tests.browser.shop_page import choose, fact, held, opened, state

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.shopper import Shopper

DELAYED: Final = """
() => {
  const decode = HTMLImageElement.prototype.decode;
  const gate = new Promise((open) => (window.openGate = open));
  HTMLImageElement.prototype.decode = async function () {
    window.decoding = true;
    await gate;
    return decode.call(this);
  };
}
"""
OUT_OF_ORDER: Final = """
async () => {
  const { Compare } = await import('/storefront/demo/compare.js');
  const waits = { first: 100, second: 0 };
  HTMLImageElement.prototype.decode = async function () {
    await new Promise((then) => setTimeout(then, waits[this.src.split('#')[1]]));
  };
  const compare = new Compare(document.getElementById('compare'), document.getElementById('slider'));
  const icon = '/storefront/demo/icon.svg#';
  await Promise.all([compare.show(icon + 'first', '#111111', 'first'), compare.show(icon + 'second', null, 'second')]);
  return document.getElementById('after').alt;
}
"""


def test_a_deleted_photo_is_gone_with_every_look_of_it(open_shopper: Callable[..., Shopper], photo: bytes) -> None:
    desktop = opened(open_shopper(**DESKTOP))
    choose(desktop.page, photo)
    state(desktop.page, "ready")
    desktop.page.click("#remove")
    state(desktop.page, "empty")
    choose(desktop.page, photo)
    state(desktop.page, "ready")

    assert fact(desktop.page, "Cache").startswith("Miss")
    assert len(desktop.puts) == 2


def test_a_deleted_photo_is_gone_though_the_page_had_it_before(
    open_shopper: Callable[..., Shopper], photo: bytes
) -> None:
    desktop = opened(open_shopper(**DESKTOP))
    other = jpeg("one in between")
    for data in (photo, other, photo):
        choose(desktop.page, data)
        state(desktop.page, "ready")
        desktop.until(lambda: desktop.page.locator("#tally").inner_text(), lambda told: "jobs" in told)
    assert fact(desktop.page, "Cache").startswith("Hit")
    desktop.page.click("#remove")
    expect(desktop.page.locator("#spoken")).to_have_text("Your photo and everything made of it are deleted")
    for data, answer in ((photo, "Miss"), (other, "Hit")):
        choose(desktop.page, data)
        state(desktop.page, "ready")
        assert fact(desktop.page, "Cache").startswith(answer)


def test_a_photo_chosen_while_the_one_before_is_deleted_stays(desktop: Shopper, photo: bytes) -> None:
    choose(desktop.page, photo)
    state(desktop.page, "ready")
    removals = held(desktop.page, "**/jobs/*", "DELETE")
    desktop.page.click("#remove")
    desktop.until(lambda: removals, bool)
    choose(desktop.page, jpeg("the next one"))
    state(desktop.page, "ready")
    removals[0].continue_()
    expect(desktop.page.locator("#spoken")).to_have_text("Your photo and everything made of it are deleted")
    state(desktop.page, "ready")
    expect(desktop.page.locator("#remove")).to_have_text("Delete photo")
    assert len(removals) == 1


def test_nothing_more_is_made_of_a_photo_that_is_being_deleted(desktop: Shopper, photo: bytes) -> None:
    choose(desktop.page, photo)
    state(desktop.page, "ready")
    removals = held(desktop.page, "**/jobs/*", "DELETE")
    desktop.page.click("#remove")
    expect(desktop.page.locator("#remove")).to_have_text("Deleting\u2026")
    for tool in ('input[value="sepia"]', '.swatch[title="White"] input', "#download", "#format"):
        expect(desktop.page.locator(tool)).to_be_disabled()
    desktop.until(lambda: removals, bool)[0].continue_()
    state(desktop.page, "empty")
    choose(desktop.page, photo)
    state(desktop.page, "ready")
    expect(desktop.page.locator("#download")).to_be_enabled()
    assert fact(desktop.page, "Cache").startswith("Miss")


def test_a_look_that_was_on_its_way_goes_too(desktop: Shopper, photo: bytes) -> None:
    choose(desktop.page, photo)
    state(desktop.page, "ready")
    asked = held(desktop.page, "**/jobs", "POST")
    desktop.page.locator('.swatch[title="White"]').click()
    desktop.until(lambda: asked, bool)
    desktop.page.click("#remove")
    asked[0].continue_()
    state(desktop.page, "empty")
    assert len(desktop.sent("DELETE", "/jobs/")) == 2


def test_a_deletion_that_fails_can_be_tried_again(desktop: Shopper, photo: bytes) -> None:
    desktop.expected.append("404")
    choose(desktop.page, photo)
    state(desktop.page, "ready")
    body = '{"error":{"code":"conflict","message":"no","retryable":false}}'
    desktop.route("/jobs/", "DELETE", [desktop.answer(409, body)])
    desktop.expected.append("409")
    desktop.page.click("#remove")
    notice = desktop.page.locator("#notice")
    expect(notice).to_contain_text("Not yet")
    expect(desktop.page.locator("#download")).to_be_enabled()
    notice.locator("button").click()
    state(desktop.page, "empty")


def test_a_photo_that_takes_the_place_of_one_at_work_takes_its_job_back(desktop: Shopper, photo: bytes) -> None:
    with DyingLine(after=10, closes=False) as line:
        desktop.route("/uploads/", "PUT", [line.take])
        choose(desktop.page, photo)
        desktop.until(lambda: line.heard, bool)
        choose(desktop.page, jpeg("in its place"))
        state(desktop.page, "ready")
    removed = desktop.until(lambda: desktop.sent("DELETE", "/jobs/"), bool)
    assert removed[0].url.rpartition("/")[2] in desktop.puts[0].url


def test_a_photo_cancelled_while_its_first_result_is_decoded_does_not_come_back(desktop: Shopper, photo: bytes) -> None:
    desktop.page.evaluate(DELAYED)
    choose(desktop.page, photo)
    desktop.page.wait_for_function("() => window.decoding")
    desktop.page.click("#cancel")
    state(desktop.page, "empty")
    desktop.page.evaluate("() => window.openGate()")
    desktop.until(lambda: desktop.sent("DELETE", "/jobs/"), bool)
    desktop.page.wait_for_timeout(200)
    state(desktop.page, "empty")
    choose(desktop.page, photo)
    state(desktop.page, "ready")


def test_of_two_looks_in_quick_succession_the_last_one_is_shown(desktop: Shopper) -> None:
    assert desktop.page.evaluate(OUT_OF_ORDER) == "second"
