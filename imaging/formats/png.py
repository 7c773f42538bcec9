"""PNG (W3C PNG, third edition): the header, then a walk over the chunks."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from events.errors import CorruptImageError
from imaging.formats.layout import Layout, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SIGNATURE", "essential", "measure"]

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_MAX_CHUNKS: Final = 100_000
_CHUNK_OVERHEAD: Final = 12  # length, type, CRC
_FRAME_DATA: Final = frozenset({b"IDAT", b"fdAT"})
_ESSENTIAL: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"IDAT", b"IEND"})


class _Chunk(NamedTuple):
    kind: bytes
    start: int
    stop: int


def measure(data: bytes) -> Layout:
    """Layout up to and including IEND. Raises `CorruptImageError`, or `struct.error` where the data ends early."""
    length, kind, width, height = struct.unpack_from(">I4sII", data, len(SIGNATURE))
    if kind != b"IHDR" or length != 13:
        raise CorruptImageError("PNG: does not start with a header chunk")
    pixels: list[Span] = []
    end = 0
    for chunk in _chunks(data):
        if chunk.kind in _FRAME_DATA:
            _append(pixels, Span(chunk.start, chunk.stop))
        end = chunk.stop
    if not pixels:
        raise CorruptImageError("PNG: has no pixel data")
    return Layout(width, height, tuple(pixels), end)


def essential(data: bytes) -> bytes:
    """The same still image without text, animation and other chunks that no pixel depends on. Raises as `measure`."""
    kept = [data[chunk.start : chunk.stop] for chunk in _chunks(data) if chunk.kind in _ESSENTIAL]
    return b"".join((SIGNATURE, *kept))


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Every chunk up to and including IEND."""
    position = len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, position)
        chunk = _Chunk(kind, position, position + _CHUNK_OVERHEAD + length)
        if chunk.stop > len(data):
            raise CorruptImageError(f"PNG: chunk at byte {position} is longer than the file")
        yield chunk
        if kind == b"IEND":
            return
        position = chunk.stop
    raise CorruptImageError(f"PNG: more than {_MAX_CHUNKS} chunks")


def _append(pixels: list[Span], span: Span) -> None:
    if pixels and pixels[-1].stop == span.start:
        pixels[-1] = Span(pixels[-1].start, span.stop)
    else:
        pixels.append(span)
