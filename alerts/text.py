"""Foreign text made harmless to show: bounded, and without what a terminal or a chat would obey instead of show."""

from __future__ import annotations

__all__ = ["line", "plain"]


def plain(text: str, limit: int) -> str:
    """At most `limit` printable characters, spaces and line breaks; an ellipsis ends what was cut.

    Controls go, and with them the marks that change the direction of writing, which make a text read as another.
    """
    shown = "".join(map(_shown, text[: 2 * limit])).strip()
    return shown if len(shown) <= limit and len(text) <= 2 * limit else f"{shown[: limit - 1]}…"


def line(text: str, limit: int) -> str:
    """The same in one line: a text must not look like several."""
    return plain(text[: 2 * limit + 1].replace("\n", " "), limit)


def _shown(character: str) -> str:
    if character == "\n" or character.isprintable():
        return character
    return " " if character.isspace() else ""
