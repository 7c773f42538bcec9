"""The demo shop under a shopper's hands."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image
from playwright.sync_api import expect

from tests.browser.looks import look

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from tests.browser.shopper import Shopper

__all__ = [
    "chip",
    "choose",
    "drop",
    "fact",
    "formats",
    "held",
    "looked_at",
    "opened",
    "sample",
    "saving_data",
    "settled",
    "state",
]

_SAMPLE: Final = Path(__file__).parents[2] / "assets" / "photos" / "phone-portrait.jpg"
_SAVE_DATA: Final = "Object.defineProperty(navigator.connection, 'saveData', { get: () => true })"


def saving_data(shopper: Shopper) -> Shopper:
    shopper.context.add_init_script(_SAVE_DATA)
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


def formats(page: Page) -> list[str]:
    offered: list[str] = page.eval_on_selector_all("#format option", "all => all.map(option => option.value)")
    return offered


def held(page: Page, path: str, method: str) -> list[Route]:
    """A list that fills with such requests, which wait for `continue_`."""
    routes: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == method:
            routes.append(route)
        else:
            route.fallback()

    page.route(path, hold)
    return routes


def sample(name: str) -> bytes:
    """The photo that the repository ships, in a version of its own."""
    encoded = BytesIO()
    photo = Image.open(_SAMPLE)
    photo.save(encoded, "jpeg", comment=name, exif=photo.getexif())
    return encoded.getvalue()


def looked_at(page: Page, name: str) -> None:
    """A picture of it all; of a phone, such a one of any but the finished page shows what only a desktop has."""
    look(page, name, whole=page.locator("#tools").is_visible())
