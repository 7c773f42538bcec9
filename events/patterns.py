"""Regular expressions that mean the same to Python, to msgspec and to a reader of the JSON Schemas."""

from __future__ import annotations

__all__ = ["whole"]


def whole(pattern: str) -> str:
    """`pattern`, matching a whole text and nothing around it.

    Python's `$` also matches before a line break at the end, which must not pass as part of a name.
    """
    return rf"^{pattern}$(?!\n)"
