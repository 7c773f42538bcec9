"""The boxes of an ISO base media file (ISO/IEC 14496-12, section 4.2)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from events.errors import CorruptImageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_BOXES", "Box", "boxes", "child"]

MAX_BOXES: Final = 10_000


class Box(NamedTuple):
    kind: bytes
    start: int
    body: int
    stop: int


def child(data: bytes, start: int, stop: int, kind: bytes) -> Box | None:
    """The first box of that kind between `start` and `stop`."""
    return next((box for box in boxes(data, start, stop) if box.kind == kind), None)


def boxes(data: bytes, start: int, stop: int, *, known: frozenset[bytes] | None = None) -> Iterator[Box]:
    """Boxes between `start` and `stop`, up to the first one whose kind is not `known`."""
    position = start
    for _ in range(MAX_BOXES):
        if position + 8 > stop:
            return
        size, kind = struct.unpack_from(">I4s", data, position)
        if known is not None and kind not in known:
            return
        body = position + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        box = Box(kind, position, body, stop if size == 0 else position + size)
        if not box.body <= box.stop <= stop:
            raise CorruptImageError(f"HEIC, AVIF: box at byte {position} is longer than what holds it")
        yield box
        position = box.stop
    raise CorruptImageError(f"HEIC, AVIF: more than {MAX_BOXES} boxes")
