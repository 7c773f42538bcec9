"""What every format's reader returns."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Layout", "Span"]


class Span(NamedTuple):
    """Bytes `start` to `stop`, `stop` excluded."""

    start: int
    stop: int


class Layout(NamedTuple):
    """Where the image lies in its file.

    `width` and `height` in px, as stored. `pixels`: spans of compressed pixel data, ascending; every other byte is
    structure, metadata or trailing data. `end`: offset of the first byte that is not the image's any more.
    """

    width: int
    height: int
    pixels: tuple[Span, ...]
    end: int
