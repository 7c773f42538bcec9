"""The pages for people: what they link to, and the commands that they name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["PAGES", "ROOT", "Page", "commands", "headings", "links", "targets"]

ROOT: Final = Path(__file__).parents[3]
PAGES: Final = (
    ROOT / "README.md",
    ROOT / "terraform" / "README.md",
    ROOT / "storefront" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
)
_CODE: Final = re.compile(r"```.*?```", re.DOTALL)


class Page(NamedTuple):
    """`text` without its blocks of code is what Markdown reads."""

    path: Path
    text: str

    @classmethod
    def of(cls, path: Path) -> Page:
        return cls(path, path.read_text(encoding="utf-8"))

    @property
    def prose(self) -> str:
        return _CODE.sub("", self.text)


def links(page: Page) -> list[str]:
    """Targets of links and pictures that are no addresses of the web."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.prose)
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def headings(page: Page) -> set[str]:
    """The anchors that GitHub makes of them."""
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", page.prose, flags=re.MULTILINE)
    }


def commands(page: Page) -> list[tuple[str, str]]:
    """Each `python -m MODULE` with what stands behind it, up to the end of the command."""
    text = re.sub(r"\\\n\s*", "", page.text)
    return [(module, rest) for module, rest in re.findall(r"python3? -m ([a-z_]+(?:\.[a-z_]+)*)([^`\n#|]*)", text)]


def targets(page: Page) -> set[str]:
    """Each X of a `make X`."""
    return set(re.findall(r"(?:^|`|&& |    )make ([a-z]+)", page.text, flags=re.MULTILINE))
