"""Where the content of a file's items lies (ISO/IEC 14496-12, section 8.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from events.errors import CorruptImageError, UnsupportedFormatError
from imaging.formats.boxes import MAX_BOXES, boxes, child
from imaging.formats.layout import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imaging.formats.boxes import Box

__all__ = ["item_contents"]

_IN_FILE, _IN_META = 0, 1


class _Numbers:
    """Big-endian numbers one after the other, none of them beyond `stop`."""

    def __init__(self, data: bytes, start: int, stop: int) -> None:
        self._data = data
        self._position = start
        self._stop = stop

    def read(self, size: int) -> int:
        start = self._position
        self._position += size
        if self._position > self._stop:
            raise CorruptImageError("HEIC, AVIF: the table of items is truncated")
        return int.from_bytes(self._data[start : self._position])


class _Item(NamedTuple):
    number: int
    method: int
    extents: tuple[Span, ...]


def item_contents(data: bytes, meta: Box, kind: bytes) -> Iterator[memoryview]:
    """The content of each item of that kind, in place where it lies in one piece.

    Raises `CorruptImageError`, or `UnsupportedFormatError` for items made of parts of other items.
    """
    start = meta.body + 4
    locations, inside = (child(data, start, meta.stop, name) for name in (b"iloc", b"idat"))
    if locations is None:
        raise CorruptImageError("HEIC, AVIF: does not say where its items are")
    wanted = set(_numbers_of(data, meta, kind))
    containers = {_IN_FILE: memoryview(data)}
    if inside is not None:
        containers[_IN_META] = containers[_IN_FILE][inside.body : inside.stop]
    left = len(data)
    for method, extents in {(item.method, item.extents) for item in _located(data, locations) if item.number in wanted}:
        if method not in containers:
            raise UnsupportedFormatError("HEIC, AVIF: an item made of parts of other items is not read")
        content = _joined(containers[method], extents, left)
        left -= len(content)
        yield content


def _joined(container: memoryview, extents: tuple[Span, ...], most: int) -> memoryview:
    """The pieces in their order, no more than `most` bytes."""
    if sum(extent.stop - extent.start for extent in extents) > most:
        raise CorruptImageError("HEIC, AVIF: items overlap")
    if any(extent.stop > len(container) for extent in extents):
        raise CorruptImageError("HEIC, AVIF: truncated, an item lies after the end of the file")
    pieces = [container[extent.start : extent.stop] for extent in extents]
    return pieces[0] if len(pieces) == 1 else memoryview(b"".join(pieces))


def _numbers_of(data: bytes, meta: Box, kind: bytes) -> Iterator[int]:
    """The numbers of the items of that kind, from the `iinf` box."""
    table = child(data, meta.body + 4, meta.stop, b"iinf")
    if table is None:
        raise CorruptImageError("HEIC, AVIF: does not say what its items are")
    first = table.body + (8 if data[table.body] else 6)
    for entry in boxes(data, first, table.stop):
        fields = _Numbers(data, entry.body, entry.stop)
        version = fields.read(1)
        fields.read(3)
        number = fields.read(4 if version == 3 else 2)
        fields.read(2)
        if version in {2, 3} and fields.read(4) == int.from_bytes(kind):
            yield number


def _located(data: bytes, box: Box) -> Iterator[_Item]:
    fields = _Numbers(data, box.body, box.stop)
    version = fields.read(1)
    fields.read(3)
    sizes = fields.read(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    items = fields.read(4 if version == 2 else 2)
    steps = 0
    for _ in range(items):
        number = fields.read(4 if version == 2 else 2)
        method = fields.read(2) & 15 if version in {1, 2} else _IN_FILE
        fields.read(2)
        base = fields.read(base_size)
        extents = []
        for _ in range(fields.read(2)):
            fields.read(index_size if version in {1, 2} else 0)
            start = base + fields.read(offset_size)
            extents.append(Span(start, start + fields.read(length_size)))
            steps += 1
        steps += 1
        if steps > MAX_BOXES:
            raise CorruptImageError(f"HEIC, AVIF: more than {MAX_BOXES} items and pieces of items")
        yield _Item(number, method, tuple(extents))
