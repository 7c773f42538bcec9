"""GIF (87a and 89a): the logical screen and a walk over the blocks."""

from __future__ import annotations

import struct
from typing import Final

from events.errors import CorruptImageError
from imaging.formats.layout import Layout, Span

__all__ = ["measure"]

_MAX_BLOCKS: Final = 500_000  # 30 MiB in the full blocks that encoders write are a quarter of this
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


def measure(data: bytes) -> Layout:
    """Layout of all frames; the size is that of the screen, widened by a first frame that reaches beyond it.

    Only the first frame counts as pixels: it alone is decoded. Raises `CorruptImageError`, or `struct.error` or
    `IndexError` where the data ends inside a block. A missing trailer after a whole frame is tolerated.
    """
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + _palette(flags)
    pixels: list[Span] = []
    blocks = 0
    while position < len(data) or not pixels:
        kind = data[position]
        if kind == _TRAILER:
            position += 1
            break
        if kind == _IMAGE:
            left, top, frame_width, frame_height, flags = struct.unpack_from("<HHHHB", data, position + 1)
            start = position + 11 + _palette(flags)
            position, blocks = _skip_blocks(data, start, blocks)
            if not pixels:
                width, height = max(width, left + frame_width), max(height, top + frame_height)
                pixels.append(Span(start, position))
        elif kind == _EXTENSION:
            position, blocks = _skip_blocks(data, position + 2, blocks)
        else:
            raise CorruptImageError(f"GIF: unknown block at byte {position}")
    if not pixels:
        raise CorruptImageError("GIF: has no frame")
    return Layout(width, height, tuple(pixels), position)


def _palette(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip_blocks(data: bytes, position: int, blocks: int) -> tuple[int, int]:
    """The offset after a chain of sub-blocks, and how many blocks were seen so far."""
    while length := data[position]:
        position += 1 + length
        blocks += 1
        if blocks > _MAX_BLOCKS:
            raise CorruptImageError(f"GIF: more than {_MAX_BLOCKS} blocks")
    return position + 1, blocks + 1
