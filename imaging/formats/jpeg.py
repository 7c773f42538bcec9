"""JPEG (ITU-T T.81, annex B): a walk over the marker segments."""

from __future__ import annotations

import re
import struct
from typing import Final

from events.errors import CorruptImageError
from imaging.formats.layout import Layout, Span

__all__ = ["detach_exif", "measure"]

_MAX_SEGMENTS: Final = 10_000
_MAX_SCANS: Final = 100  # encoders write about ten; each one costs the decoder a pass over all coefficients

_SOI, _EOI, _SOS, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0-SOF15 without DHT, JPG, DAC
_STANDALONE: Final = frozenset(range(0xD0, 0xD8)) | {0x01}  # restart markers and TEM have no length

_MARKER: Final = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_MARKER_AFTER_SCAN: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)


def measure(data: bytes) -> Layout:
    """Layout of the primary image. A thumbnail or a gain map sits inside a segment or after the end, and is not seen.

    Raises `CorruptImageError`, or `struct.error` where the data ends inside a segment header.
    """
    size: tuple[int, int] | None = None
    scans: list[Span] = []
    position = 2
    for _ in range(_MAX_SEGMENTS):
        marker, start = _next_marker(data, position, _MARKER)
        if marker == _EOI:
            return _finish(size, scans, start)
        if marker == _SOI:
            raise CorruptImageError("JPEG: a second start-of-image inside the image")
        if marker in _STANDALONE:
            position = start
            continue
        position = _segment_end(data, start)
        if marker in _FRAMES:
            if size is not None:
                raise CorruptImageError("JPEG: a second frame header")
            size = _frame_size(data, start)
        elif marker == _SOS:
            scans.append(_scan(data, position, len(scans)))
            position = scans[-1].stop
    raise CorruptImageError(f"JPEG: more than {_MAX_SEGMENTS} segments")


def detach_exif(data: bytes) -> tuple[bytes, bytes]:
    """The first Exif block, b"" where there is none, and the file without Exif and XMP (its APP1 segments).

    A codec has no use for either, and some stumble over a broken one. `data` is a file that `measure` accepts.
    """
    exif = b""
    kept = [data[:2]]
    position = 2
    while True:
        marker, start = _next_marker(data, position, _MARKER)
        if marker in {_SOS, _EOI}:
            return exif, b"".join((*kept, data[position:]))
        stop = start if marker in _STANDALONE else _segment_end(data, start)
        if marker != _APP1:
            kept.append(data[position:stop])
        elif not exif and data.startswith(b"Exif\x00\x00", start + 2):
            exif = data[start + 2 : stop]
        position = stop


def _next_marker(data: bytes, position: int, pattern: re.Pattern[bytes]) -> tuple[int, int]:
    """The next marker's code and the offset after it; like libjpeg, skips what lies between segments."""
    match = pattern.search(data, position)
    if match is None:
        raise CorruptImageError("JPEG: truncated, no end-of-image marker")
    return data[match.end() - 1], match.end()


def _segment_end(data: bytes, start: int) -> int:
    (length,) = struct.unpack_from(">H", data, start)
    if length < 2 or start + length > len(data):
        raise CorruptImageError(f"JPEG: segment at byte {start} has the impossible length {length}")
    return int(start + length)


def _frame_size(data: bytes, start: int) -> tuple[int, int]:
    height, width = struct.unpack_from(">HH", data, start + 3)
    return width, height


def _scan(data: bytes, start: int, scans_before: int) -> Span:
    if scans_before == _MAX_SCANS:
        raise CorruptImageError(f"JPEG: more than {_MAX_SCANS} scans")
    _, after = _next_marker(data, start, _MARKER_AFTER_SCAN)
    return Span(start, after - 2)


def _finish(size: tuple[int, int] | None, scans: list[Span], end: int) -> Layout:
    if size is None or not scans:
        raise CorruptImageError("JPEG: ends before its frame header and first scan")
    return Layout(*size, pixels=tuple(scans), end=end)
