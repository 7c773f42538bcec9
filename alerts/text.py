"""Foreign text made harmless to show: bounded, and without what a terminal or a chat would obey instead of show."""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["plain"]

_DIRECTION_CHANGES: Final = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They reorder the text after them, and can make it read as something else."""


def plain(text: str, limit: int) -> str:
    """At most `limit` characters; an ellipsis ends what was cut. Line breaks stay."""
    shown = "".join(character for character in text[: 2 * limit] if _is_shown(character)).strip()
    return shown if len(shown) <= limit and len(text) <= 2 * limit else f"{shown[: limit - 1]}…"


def _is_shown(character: str) -> bool:
    if character == "\n":
        return True
    return unicodedata.category(character) not in {"Cc", "Cs", "Co", "Cn"} and character not in _DIRECTION_CHANGES
