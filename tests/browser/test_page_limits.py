"""The demo shop on a service that has had enough of its shopper: the refusal is the service's own, across origins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from local.stack import Stack
from tests.browser.shop_page import choose, opened, saving_data, state
from tests.browser.shopper import Shopper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture
def strict(tmp_path: Path, browser: Browser) -> Iterator[Shopper]:
    """On a stack that takes one photo an hour."""
    limits = {"RATE_LIMITS": json.dumps({"request_upload": {"address": "1/hour"}})}
    with Stack.instant(tmp_path, limits) as stack, browser.new_context() as context:
        stack.start_page()
        yield opened(saving_data(Shopper(context, stack)))


def test_the_page_reads_when_it_may_ask_again(strict: Shopper, photo: bytes) -> None:
    choose(strict.page, photo)
    state(strict.page, "ready")
    strict.page.click("#anew")
    choose(strict.page, photo)
    state(strict.page, "failed")

    expect(strict.page.locator("#problem-code")).to_have_text("rate_limited")
    expect(strict.page.locator("#problem-text")).to_contain_text("Try again in 60 minutes")
    expect(strict.page.locator("#retry")).to_be_hidden()
