"""HEIC and AVIF (ISO/IEC 14496-12 and 23008-12): boxes, and the sizes that image items declare.

A file holds many items: tiles, the grid made of them, a thumbnail, a gain map. Each refers to an `ispe` property
with its size. The largest one is the photo in every file that phones write, and it bounds what a decoder may have
to allocate, so it is what is reported. Decoders of AV1 go by the size that its own headers say, so those are read too;
libheif checks the frames of HEIC itself.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from events.errors import CorruptImageError, UnsupportedFormatError
from imaging.formats.av1 import frame_sizes
from imaging.formats.boxes import boxes, child
from imaging.formats.items import item_contents
from imaging.formats.layout import Layout, Span

if TYPE_CHECKING:
    from imaging.formats.boxes import Box

__all__ = ["as_still", "brands", "measure", "measure_avif"]

_MAX_BRANDS: Final = 64
_TOP_LEVEL: Final = frozenset({b"ftyp", b"meta", b"mdat", b"moov", b"free", b"skip", b"uuid"})


def brands(head: bytes) -> frozenset[bytes]:
    """Major and compatible brands of a file that starts with `ftyp`, as far as `head` reaches; else empty."""
    if len(head) < 16 or head[4:8] != b"ftyp":
        return frozenset()
    (size,) = struct.unpack_from(">I", head)
    stop = min(size, len(head), 16 + 4 * _MAX_BRANDS)
    return frozenset({head[8:12], *(head[at : at + 4] for at in range(16, stop - 3, 4))})


def measure(data: bytes) -> Layout:
    """Layout of the still image; it ends before what phones append (a second `ftyp`, `mpvd`, `sefd`).

    Raises `CorruptImageError`, `UnsupportedFormatError` for a sequence without a still image, or `struct.error`.
    """
    meta, pixels, end = _top_level(data)
    width, height = max(_declared_sizes(data, meta), key=lambda size: size[0] * size[1])
    return Layout(width, height, pixels, end)


def measure_avif(data: bytes) -> Layout:
    """The same for AVIF, whose frames must be no larger than what the file declares."""
    layout = measure(data)
    meta, _, _ = _top_level(data)
    declared = _declared_sizes(data, meta)
    coded = set(frame_sizes(item_contents(data, meta, b"av01")))
    if not coded:
        raise CorruptImageError("AVIF: has no frame")
    for width, height in coded:
        if not any(width <= most_width and height <= most_height for most_width, most_height in declared):
            raise CorruptImageError(f"AVIF: a frame of {width} x {height} px, larger than the file declares")
    return layout


def as_still(avif: bytes) -> bytes:
    """The file with the major brand of a still image: libavif looks at a sequence's track first, if there is one."""
    return avif if avif[8:12] == b"avif" else b"".join((avif[:8], b"avif", avif[12:]))


def _top_level(data: bytes) -> tuple[Box, tuple[Span, ...], int]:
    """The `meta` box, the spans of media data, and where the still image ends."""
    meta: Box | None = None
    pixels: list[Span] = []
    end = 0
    for box in boxes(data, 0, len(data), known=_TOP_LEVEL):
        if box.kind == b"ftyp" and box.start > 0:
            break
        if box.kind == b"meta":
            meta = meta or box
        elif box.kind == b"mdat":
            pixels.append(Span(box.body, box.stop))
        end = box.stop
    if meta is None:
        raise UnsupportedFormatError("HEIC, AVIF: an image sequence or video without a still image")
    return meta, tuple(pixels), end


def _declared_sizes(data: bytes, meta: Box) -> list[tuple[int, int]]:
    """Of the `ispe` boxes in meta/iprp/ipco. `meta` is a full box: version and flags come before its children."""
    properties = child(data, meta.body + 4, meta.stop, b"iprp")
    container = properties and child(data, properties.body, properties.stop, b"ipco")
    if container is None:
        raise CorruptImageError("HEIC, AVIF: has no item properties")
    sizes = [
        struct.unpack_from(">II", data, box.body + 4)
        for box in boxes(data, container.body, container.stop)
        if box.kind == b"ispe" and box.stop - box.body >= 12
    ]
    if not sizes:
        raise CorruptImageError("HEIC, AVIF: no image item declares its size")
    return sizes
