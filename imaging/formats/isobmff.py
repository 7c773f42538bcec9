"""HEIC and AVIF (ISO/IEC 14496-12 and 23008-12): boxes, and the sizes that image items declare.

A file holds many items: tiles, the grid made of them, a thumbnail, a gain map. Each refers to an `ispe` property
with its size. The largest one is the photo in every file that phones write, and it bounds what a decoder may have
to allocate, so it is what is reported.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from events.errors import CorruptImageError, UnsupportedFormatError
from imaging.formats.layout import Layout, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["brands", "measure"]

_MAX_BOXES: Final = 10_000
_MAX_BRANDS: Final = 64
_TOP_LEVEL: Final = frozenset({b"ftyp", b"meta", b"mdat", b"moov", b"free", b"skip", b"uuid"})


class _Box(NamedTuple):
    kind: bytes
    start: int
    body: int
    stop: int


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
    meta: _Box | None = None
    pixels: list[Span] = []
    end = 0
    for box in _boxes(data, 0, len(data), known=_TOP_LEVEL):
        if box.kind == b"ftyp" and box.start > 0:
            break
        if box.kind == b"meta":
            meta = meta or box
        elif box.kind == b"mdat":
            pixels.append(Span(box.body, box.stop))
        end = box.stop
    if meta is None:
        raise UnsupportedFormatError("HEIC, AVIF: an image sequence or video without a still image")
    sizes = [struct.unpack_from(">II", data, box.body + 4) for box in _declared_sizes(data, meta)]
    if not sizes:
        raise CorruptImageError("HEIC, AVIF: no image item declares its size")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return Layout(width, height, tuple(pixels), end)


def _declared_sizes(data: bytes, meta: _Box) -> Iterator[_Box]:
    """The `ispe` boxes in meta/iprp/ipco. `meta` is a full box: version and flags come before its children."""
    properties = _child(data, meta.body + 4, meta.stop, b"iprp")
    container = properties and _child(data, properties.body, properties.stop, b"ipco")
    if container is None:
        raise CorruptImageError("HEIC, AVIF: has no item properties")
    return (box for box in _boxes(data, container.body, container.stop) if box.kind == b"ispe")


def _child(data: bytes, start: int, stop: int, kind: bytes) -> _Box | None:
    return next((box for box in _boxes(data, start, stop) if box.kind == kind), None)


def _boxes(data: bytes, start: int, stop: int, *, known: frozenset[bytes] | None = None) -> Iterator[_Box]:
    """Boxes between `start` and `stop`, up to the first one whose kind is not `known`."""
    position = start
    for _ in range(_MAX_BOXES):
        if position + 8 > stop:
            return
        size, kind = struct.unpack_from(">I4s", data, position)
        if known is not None and kind not in known:
            return
        body = position + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        box = _Box(kind, position, body, stop if size == 0 else position + size)
        if not box.body <= box.stop <= stop:
            raise CorruptImageError(f"HEIC, AVIF: box at byte {position} is longer than what holds it")
        yield box
        position = box.stop
    raise CorruptImageError(f"HEIC, AVIF: more than {_MAX_BOXES} boxes")
