"""AVIF files made for tests, from boxes and AV1 headers that agree or not."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from tests.unit.imaging.image_files import box, photo, saved

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Field", "av1_units", "avif", "frame_header", "pillow_units", "redeclared", "sequence_header"]


class Field(NamedTuple):
    """An unsigned integer of so many bits."""

    bits: int
    value: int


def _packed(*fields: Field) -> bytes:
    text = "".join(f"{field.value:0{field.bits}b}" for field in fields if field.bits)
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8))


def sequence_header(
    width: int, height: int, *, bits: int = 16, timing: bool = False, ids: bool = False, hints: bool = False
) -> bytes:
    """One that lets frames have sizes of their own, as a video's does (AV1, section 5.5.1)."""
    times = [Field(32, 1), Field(32, 30), Field(1, 1), Field(3, 0b010), Field(1, 0)] if timing else []
    return _packed(
        *(Field(3, 0), Field(1, 1), Field(1, 0)),
        *(Field(1, timing), *times),
        *(Field(1, 1), Field(5, 1), Field(12, 0), Field(5, 8), Field(1, 0), Field(1, 1), Field(4, 9)),
        *(Field(12, 1), Field(5, 4), Field(1, 0)),
        *(Field(4, bits - 1), Field(4, bits - 1), Field(bits, width - 1), Field(bits, height - 1)),
        *((Field(1, 1), Field(4, 3), Field(3, 2)) if ids else (Field(1, 0),)),
        Field(7, 0),
        *((Field(1, 1), Field(2, 0)) if hints else (Field(1, 0),)),
        *(Field(1, 1), Field(1, 1)),
        *((Field(3, 6),) if hints else ()),
        Field(8, 0),
    )


def frame_header(
    size: tuple[int, int] | None = None, *, kind: int = 0, bits: int = 16, ids: bool = False, hints: bool = False
) -> bytes:
    """A shown frame with a size of its own, if one is given (AV1, section 5.9.2)."""
    return _packed(
        *(Field(1, 0), Field(2, kind), Field(1, 1)),
        *((Field(1, 1),) if kind in {1, 2} else ()),
        *(Field(1, 0), Field(1, 1), Field(1, 0)),
        *((Field(8, 77),) if ids else ()),
        *((Field(1, size is not None),) if kind != 3 else ()),
        *((Field(7, 5),) if hints else ()),
        *((Field(bits, size[0] - 1), Field(bits, size[1] - 1)) if size else ()),
        Field(16, 0),
    )


def av1_units(*units: tuple[int, bytes]) -> bytes:
    """Open bitstream units of these types; all but the last one with their size."""
    return b"".join(bytes((kind << 3 | 2, len(data))) + data for kind, data in units)


def pillow_units() -> bytes:
    """The AV1 data of a real file."""
    data = saved(photo(), "AVIF")
    return data[data.index(b"mdat") + 4 :]


def redeclared(data: bytes, width: int, height: int) -> bytes:
    """The same file, saying that its image has another size."""
    changed = bytearray(data)
    at = changed.find(b"ispe")
    while at >= 0:
        changed[at + 8 : at + 16] = struct.pack(">II", width, height)
        at = changed.find(b"ispe", at + 4)
    return bytes(changed)


def avif(
    width: int,
    height: int,
    content: bytes,
    *,
    pieces: Sequence[tuple[int, int]] | None = None,
    items: int = 1,
    method: int = 0,
    kind: bytes = b"av01",
) -> bytes:
    """A file of `items` images, all with the same content: in `pieces`, offset and length, of what is stored."""
    pieces = [(0, len(content))] if pieces is None else pieces
    numbers = range(1, items + 1)
    entries = [box(b"infe", b"\x02\x00\x00\x00", struct.pack(">HH", number, 0), kind, b"\x00") for number in numbers]
    size = box(b"ispe", bytes(4), struct.pack(">II", width, height))

    def meta(start: int) -> bytes:
        extents = struct.pack(">H", len(pieces)) + b"".join(struct.pack(">II", *piece) for piece in pieces)
        located = [struct.pack(">HHHI", number, method, 0, start) + extents for number in numbers]
        return box(
            b"meta",
            bytes(4),
            box(b"iloc", b"\x01\x00\x00\x00\x44\x40", struct.pack(">H", items), *located),
            box(b"iinf", bytes(4), struct.pack(">H", items), *entries),
            box(b"iprp", box(b"ipco", size)),
            box(b"idat", content) if method else b"",
        )

    head = box(b"ftyp", b"avif", bytes(4), b"mif1", b"avif")
    offset = 0 if method else len(head) + len(meta(0)) + 8
    return head + meta(offset) + (b"" if method else box(b"mdat", content))
