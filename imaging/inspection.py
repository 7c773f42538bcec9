"""What a file really is and how large its image is, without decoding a pixel. Standard library only.

A name and a content type are the sender's claims; the format is told by content. Sizes come from the structure that
a decoder would follow, and every reader is bounded in steps, so that no file can make it loop.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from events.errors import CorruptImageError, UnsupportedFormatError
from imaging.formats import bmp, gif, isobmff, jpeg, png, tiff, webp
from imaging.limits import DEFAULT_LIMITS, Limits
from imaging.polyglot import refuse_polyglot

if TYPE_CHECKING:
    from collections.abc import Callable

    from imaging.formats.layout import Layout

__all__ = ["SNIFF_BYTES", "Format", "ImageInfo", "inspect", "sniff"]

Format = Literal["jpeg", "png", "webp", "heic", "avif", "tiff", "bmp", "gif"]

SNIFF_BYTES: Final = 64
"""`sniff` needs this many bytes from the start of the file, or all of a shorter file."""

_SIGNATURES: Final[dict[Format, re.Pattern[bytes]]] = {
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "png": re.compile(re.escape(png.SIGNATURE)),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "tiff": re.compile(rb"II[\x2a\x2b]\x00|MM\x00[\x2a\x2b]"),
    "gif": re.compile(rb"GIF8[79]a"),
    "bmp": re.compile(rb"BM.{4}\x00{4}", re.DOTALL),
}
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})

_MEASURE: Final[dict[Format, Callable[[bytes], Layout]]] = {
    "jpeg": jpeg.measure,
    "png": png.measure,
    "webp": webp.measure,
    "heic": isobmff.measure,
    "avif": isobmff.measure_avif,
    "tiff": tiff.measure,
    "bmp": bmp.measure,
    "gif": gif.measure,
}


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """The image is `data[:end]`. `width` and `height` in px as stored: before Exif orientation and HEIF crop."""

    format: Format
    width: int
    height: int
    end: int


def sniff(head: bytes) -> Format | None:
    """The format that the first `SNIFF_BYTES` bytes announce, None where it is not one that is read."""
    for image_format, signature in _SIGNATURES.items():
        if signature.match(head):
            return image_format
    return _sniff_brands(isobmff.brands(head[:SNIFF_BYTES]))


def _sniff_brands(brands: frozenset[bytes]) -> Format | None:
    if brands & _AVIF_BRANDS:
        return "avif"
    return "heic" if brands & _HEIC_BRANDS else None


def inspect(data: bytes, limits: Limits = DEFAULT_LIMITS) -> ImageInfo:
    """Format, size and end of the image in `data`.

    Raises `TooLargeError`, `TooManyPixelsError`, `UnsupportedFormatError`, `CorruptImageError` (truncated or broken
    structure) or `PolyglotError`, and nothing else, whatever the bytes are. Takes next to no memory besides them.
    """
    limits.check_bytes(len(data))
    image_format = sniff(data)
    if image_format is None:
        raise UnsupportedFormatError(f"the content is none of {', '.join(_MEASURE)}")
    try:
        layout = _MEASURE[image_format](data)
    except (struct.error, IndexError) as error:
        raise CorruptImageError(f"{image_format}: truncated") from error
    if layout.width < 1 or layout.height < 1:
        raise CorruptImageError(f"{image_format}: impossible size {layout.width} x {layout.height}")
    limits.check_size(layout.width, layout.height)
    refuse_polyglot(data, layout)
    return ImageInfo(image_format, layout.width, layout.height, layout.end)
