"""WebP (RFC 9649): the RIFF chunks and the headers of VP8, VP8L and VP8X."""

from __future__ import annotations

import struct
from typing import Final

from events.errors import CorruptImageError
from imaging.formats.layout import Layout, Span

__all__ = ["measure"]

_MAX_CHUNKS: Final = 100_000
_PIXELS: Final = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANMF"})


def measure(data: bytes) -> Layout:
    """Layout of the RIFF container; an extended file's size is that of its canvas.

    Raises `CorruptImageError`, or `struct.error` where the data ends early.
    """
    end = _riff_end(data)
    width, height = _size(data)
    pixels: list[Span] = []
    position = 12
    for _ in range(_MAX_CHUNKS):
        if position + 8 > end:
            break
        kind, length = struct.unpack_from("<4sI", data, position)
        stop = position + 8 + length
        if stop > end:
            raise CorruptImageError(f"WebP: chunk at byte {position} is longer than the file")
        if kind in _PIXELS:
            pixels.append(Span(position, stop))
        position = stop + length % 2
    else:
        raise CorruptImageError(f"WebP: more than {_MAX_CHUNKS} chunks")
    if not pixels:
        raise CorruptImageError("WebP: has no pixel data")
    return Layout(width, height, tuple(pixels), end)


def _riff_end(data: bytes) -> int:
    (length,) = struct.unpack_from("<I", data, 4)
    end = 8 + length
    if end > len(data):
        raise CorruptImageError("WebP: truncated, the file is shorter than its header says")
    return int(min(end + length % 2, len(data)))


def _size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
        return 1 + low_width + (high_width << 16), 1 + low_height + (high_height << 16)
    if kind == b"VP8L":
        signature, bits = struct.unpack_from("<BI", data, 20)
        if signature != 0x2F:
            raise CorruptImageError("WebP: bad lossless signature")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        start_code, width, height = struct.unpack_from("<3sHH", data, 23)
        if start_code != b"\x9d\x01\x2a":
            raise CorruptImageError("WebP: does not start with a key frame")
        return width & 0x3FFF, height & 0x3FFF
    raise CorruptImageError("WebP: starts with neither VP8, VP8L nor VP8X")
