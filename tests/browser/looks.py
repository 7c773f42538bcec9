"""How a page looks on a phone and a desktop, by day and by night: what is asserted of it, and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["DESKTOP", "DEVICES", "PHONE", "SCREENSHOTS", "look", "reported"]

SCREENSHOTS: Final = Path(__file__).parents[2] / "out" / "screenshots"
PHONE: Final[dict[str, Any]] = {
    "viewport": {"width": 360, "height": 740},
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}
DESKTOP: Final[dict[str, Any]] = {"viewport": {"width": 1280, "height": 900}}
DEVICES: Final = {"phone": PHONE, "desktop": DESKTOP}
_AXE: Final[dict[str, Any]] = {"resultTypes": ["violations"]}


def look(page: Page, name: str, *, whole: bool) -> None:
    """Nothing to object to for axe, which the page must have; nothing wider than the screen; a picture.

    `whole` is a picture of what has to be scrolled to as well.
    """
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = page.evaluate("async (wanted) => (await axe.run(wanted)).violations", _AXE)
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
        page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}.png", full_page=whole, scale="css")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def reported(page: Page) -> list[str]:
    """A list that fills with the errors that the page runs into or writes on the console."""
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors
