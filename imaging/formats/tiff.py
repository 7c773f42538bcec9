"""TIFF 6.0 and the Exif block that has the same structure: directories of tagged values."""

from __future__ import annotations

import operator
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from events.errors import CorruptImageError, UnsupportedFormatError
from imaging.formats.layout import Layout, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Directory", "exif_orientation", "measure", "read_directory"]

_MAX_VALUES: Final = 1_000_000  # strips and tiles; 50 megapixels in 16x16 tiles are a fifth of this
_TYPE_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_INTEGERS: Final = {1: "B", 3: "H", 4: "I", 13: "I"}

_NEW_SUBFILE_TYPE, _WIDTH, _HEIGHT, _ORIENTATION = 254, 256, 257, 274
_CHUNK_TAGS: Final = ((273, 279), (324, 325))  # strips, tiles: offsets and byte counts


class _Entry(NamedTuple):
    kind: int
    values: int
    start: int
    stop: int


class Directory(NamedTuple):
    """One image file directory: its byte order (`<` or `>`), its entries by tag, and where it ends."""

    order: str
    entries: dict[int, _Entry]
    stop: int

    def integers(self, data: bytes, tag: int) -> Iterator[int]:
        """The unsigned integers of a tag, one at a time: a file may claim a million of them.

        No integer where it is missing or of another type. Raises as `measure` does.
        """
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in _INTEGERS:
            return
        if entry.values > _MAX_VALUES:
            raise CorruptImageError(f"TIFF: tag {tag} has {entry.values} values")
        if entry.stop > len(data):
            raise CorruptImageError(f"TIFF: truncated, the values of tag {tag} lie after the end of the file")
        form = f"{self.order}{_INTEGERS[entry.kind]}"
        for (value,) in struct.iter_unpack(form, memoryview(data)[entry.start : entry.stop]):
            yield value

    def integer(self, data: bytes, tag: int) -> int | None:
        """The first of a tag's integers."""
        return next(self.integers(data, tag), None)


def read_directory(data: bytes) -> Directory:
    """The first directory. Raises `UnsupportedFormatError` for BigTIFF, `CorruptImageError`, or `struct.error`."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise CorruptImageError("TIFF: no byte order")
    magic, offset = struct.unpack_from(f"{order}HI", data, 2)
    if magic == 43:
        raise UnsupportedFormatError("BigTIFF is not read, classic TIFF is")
    if magic != 42:
        raise CorruptImageError("TIFF: bad magic number")
    (count,) = struct.unpack_from(f"{order}H", data, offset)
    entries: dict[int, _Entry] = {}
    for at in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, at)
        size = _TYPE_SIZES.get(kind, 0) * values
        start = at + 8 if size <= 4 else struct.unpack_from(f"{order}I", data, at + 8)[0]
        entries.setdefault(tag, _Entry(kind, values, start, start + size))
    return Directory(order, entries, offset + 2 + 12 * count + 4)


def measure(data: bytes) -> Layout:
    """Layout of the first page, with all that its directory refers to.

    Raises `CorruptImageError`, `UnsupportedFormatError` for BigTIFF and camera raw, or `struct.error`.
    """
    directory = read_directory(data)
    if any(value & 1 for value in directory.integers(data, _NEW_SUBFILE_TYPE)) or data[8:10] == b"CR":
        raise UnsupportedFormatError("camera raw is not read: the TIFF's first image is a preview")
    width, height = (directory.integer(data, tag) for tag in (_WIDTH, _HEIGHT))
    if width is None or height is None:
        raise CorruptImageError("TIFF: the first directory has no width and height")
    pixels = _pixels(data, directory)
    if pixels.stop > len(data):
        raise CorruptImageError("TIFF: truncated, its pixel data lies after the end of the file")
    end = max(directory.stop, pixels.stop, *(entry.stop for entry in directory.entries.values()))
    return Layout(width, height, (pixels,), min(end, len(data)))


def _pixels(data: bytes, directory: Directory) -> Span:
    """From the first to the last strip or tile; early writers left the byte counts out: to the end of the file."""
    for starts_tag, counts_tag in _CHUNK_TAGS:
        start = min(directory.integers(data, starts_tag), default=None)
        if start is not None:
            ends = map(operator.add, directory.integers(data, starts_tag), directory.integers(data, counts_tag))
            return Span(start, max(start, max(ends, default=len(data))))
    raise CorruptImageError("TIFF: has no pixel data")


def exif_orientation(exif: bytes) -> int:
    """Orientation 1 to 8 of an Exif block, with or without its `Exif` prefix; 1 where there is none or it is broken."""
    block = exif.removeprefix(b"Exif\x00\x00")
    try:
        value = read_directory(block).integer(block, _ORIENTATION)
    except (CorruptImageError, UnsupportedFormatError, struct.error):
        return 1
    return value if value is not None and 1 <= value <= 8 else 1
