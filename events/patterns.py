"""Regular expressions for whole texts, in Python and in the JSON Schemas."""

from __future__ import annotations

from typing import Final

__all__ = ["portable", "whole"]

_NO_LINE_BREAK: Final = r"(?!\n)"


def whole(pattern: str) -> str:
    """`pattern`, matching a whole text and nothing around it.

    Python's `$` also matches before a line break at the end, which must not pass as part of a name.
    """
    return f"^{pattern}${_NO_LINE_BREAK}"


def portable(pattern: str) -> str:
    """The same for validators of JSON Schema, whose `$` is the end, and some of which know no look-ahead."""
    return pattern.removesuffix(_NO_LINE_BREAK)
