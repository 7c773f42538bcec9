"""Every state of the demo shop, on each device, by day and by night: accessible, within the screen, and pictured."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.browser.dying_line import DyingLine
from tests.browser.looks import DEVICES
from tests.browser.photos import heic
from tests.browser.shop_page import chip, choose, held, looked_at, opened, sample, saving_data, settled, state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Route

    from tests.browser.shopper import Shopper

WAKING: Final = '{"state":"queued","stage":"starting_worker","worker":"cold","seconds_left":18}'
RATE_LIMITED: Final = '{"error":{"code":"rate_limited","message":"slow down","retryable":true}}'
MOVING: Final = "() => document.getAnimations().map((one) => one.animationName ?? one.transitionProperty)"


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shopper(open_shopper: Callable[..., Shopper], npm: Path, device: str) -> Shopper:
    opening = opened(saving_data(open_shopper(**DEVICES[device], reduced_motion="reduce")))
    opening.page.evaluate((npm / "axe-core" / "axe.min.js").read_text())
    return opening


def test_on_the_way_to_a_result(shopper: Shopper, device: str) -> None:
    page = shopper.page
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


def test_waiting_for_a_worker(shopper: Shopper, device: str) -> None:
    page = shopper.page
    polls = held(page, "**/jobs/*", "GET")
    choose(page, sample(f"waking {device}"))
    shopper.until(lambda: polls, bool)
    shopper.answer(200, WAKING)(polls[0])
    expect(page.locator("#now")).to_contain_text("Waking a worker, about")
    looked_at(page, f"{device}-waking")
    shopper.until(lambda: page.evaluate(MOVING), lambda moving: moving == [])
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(MOVING) != []
    page.click("#cancel")


def test_a_bad_line_and_none(shopper: Shopper, device: str) -> None:
    page = shopper.page
    page.clock.install()
    shopper.expected += ["503", "ERR_INTERNET_DISCONNECTED"]
    shopper.route(f"{shopper.stack.api_url}/uploads", "POST", [shopper.answer(503, "", Retry_After="29")])
    choose(page, sample(f"offline {device}"))
    expect(page.locator("#now")).to_contain_text("The line is bad")
    looked_at(page, f"{device}-retrying")
    shopper.context.set_offline(True)
    page.clock.fast_forward(29_000)
    expect(page.locator("#now")).to_contain_text("You are offline")
    looked_at(page, f"{device}-offline")
    shopper.context.set_offline(False)
    state(page, "ready")


def test_trouble(shopper: Shopper, device: str) -> None:
    page = shopper.page
    shopper.expected.append("429")
    choose(page, b"<html></html>" * 30)
    state(page, "failed")
    looked_at(page, f"{device}-failed")
    refusal = shopper.answer(429, RATE_LIMITED, Retry_After="90")
    shopper.route(f"{shopper.stack.api_url}/uploads", "POST", [refusal])
    choose(page, sample(f"trouble {device}"))
    expect(page.locator("#retry")).to_have_text(re.compile("Try again in"))
    looked_at(page, f"{device}-failed-for-a-while")
    choose(page, sample(f"trouble {device}"))
    state(page, "ready")
    shopper.route(f"{shopper.stack.api_url}/jobs", "POST", [refusal])
    chip(page, "sepia").click()
    expect(page.locator("#notice")).to_contain_text("Try again in")
    looked_at(page, f"{device}-notice")


def test_a_colour_of_ones_own_behind_a_photo_that_only_the_service_can_read(shopper: Shopper, device: str) -> None:
    page = shopper.page
    polls: list[Route] = []
    shopper.route("/jobs/", "GET", [polls.append])
    choose(page, heic(f"state {device}"), "IMG_0001.HEIC", "")
    expect(page.locator("#working")).to_have_class("working blind")
    shopper.until(lambda: polls, bool)
    looked_at(page, f"{device}-working-blind")
    polls[0].continue_()
    state(page, "ready")
    page.fill("#own-color", "#2f7d5b")
    settled(page)
    looked_at(page, f"{device}-own-colour")
