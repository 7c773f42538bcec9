"""BMP: the file header and the DIB headers of OS/2 1.x (12 bytes) and Windows (40 bytes and more)."""

from __future__ import annotations

import struct
from typing import Final

from events.errors import CorruptImageError, UnsupportedFormatError
from imaging.formats.layout import Layout, Span

__all__ = ["measure"]

_CORE_HEADER: Final = 12
_HEADERS: Final = frozenset({_CORE_HEADER, 40, 52, 56, 64, 108, 124})
_RGB, _RLE8, _RLE4, _BITFIELDS, _ALPHA_BITFIELDS = 0, 1, 2, 3, 6


def measure(data: bytes) -> Layout:
    """Layout; the height of a top-down bitmap, stored negative, is given as positive.

    Raises `CorruptImageError`, `UnsupportedFormatError` for JPEG or PNG inside a BMP, or `struct.error`.
    """
    file_size, offset, header = struct.unpack_from("<I4xII", data, 2)
    if header not in _HEADERS:
        raise CorruptImageError(f"BMP: unknown header of {header} bytes")
    if header == _CORE_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression, image_size = _RGB, 0
    else:
        width, height, _, bits, compression, image_size = struct.unpack_from("<iiHHII", data, 18)
    if compression in {_RLE4, _RLE8}:
        length = image_size or max(file_size - offset, 0)
    elif compression in {_RGB, _BITFIELDS, _ALPHA_BITFIELDS}:
        length = (width * bits + 31) // 32 * 4 * abs(height)
    else:
        raise UnsupportedFormatError(f"BMP: compression {compression} is not read")
    end = offset + length
    if width > 0 and end > len(data):
        raise CorruptImageError("BMP: truncated, its pixel data lies after the end of the file")
    return Layout(width, abs(height), (Span(offset, end),), end)
