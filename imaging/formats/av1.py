"""AV1 (AV1 Bitstream & Decoding Process Specification 1.0.0 with errata 1): how large the frames of a bitstream are.

A decoder allocates what the headers in here say, whatever the file around them declares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from events.errors import CorruptImageError, UnsupportedFormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["frame_sizes"]

_MAX_UNITS: Final = 100_000
_HEADER_BYTES: Final = 128
"""More than the longest sequence header up to what is read of it."""

_SEQUENCE_HEADER: Final = 1
_FRAME_HEADERS: Final = frozenset({3, 6, 7})  # alone, with its tiles, repeated
_KEY_FRAME, _SWITCH_FRAME = 0, 3
_SELECT: Final = 2
"""A tool that each frame header switches on or off."""


class _Sequence(NamedTuple):
    width: int
    height: int
    width_bits: int
    height_bits: int
    reduced: bool = True
    frame_id_bits: int = 0
    screen_content: int = _SELECT
    integer_motion: int = _SELECT
    order_hint_bits: int = 0


class _Bits:
    """Unsigned integers, most significant bit first."""

    def __init__(self, data: bytes) -> None:
        self._left = 8 * len(data)
        self._value = int.from_bytes(data)

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise CorruptImageError("AV1: a header is truncated")
        return self._value >> self._left & (1 << count) - 1


def frame_sizes(images: Iterable[memoryview]) -> Iterator[tuple[int, int]]:
    """Width and height in px of the frames of still images, a frame for each of their layers.

    Raises `CorruptImageError`, `IndexError` where a unit's header is cut off, and `UnsupportedFormatError` for frames
    whose size only a decoder can tell.
    """
    budget = iter(range(_MAX_UNITS))
    for data in images:
        sequence: _Sequence | None = None
        for kind, payload in _units(data, budget):
            if kind == _SEQUENCE_HEADER:
                sequence = _read_sequence(_Bits(bytes(payload[:_HEADER_BYTES])))
            elif kind in _FRAME_HEADERS:
                if sequence is None:
                    raise CorruptImageError("AV1: a frame before the sequence header")
                yield _frame_size(_Bits(bytes(payload[:_HEADER_BYTES])), sequence)


def _units(data: memoryview, budget: Iterator[int]) -> Iterator[tuple[int, memoryview]]:
    """Type and payload of each open bitstream unit (section 5.3)."""
    position = 0
    while position < len(data):
        if next(budget, None) is None:
            raise CorruptImageError(f"AV1: more than {_MAX_UNITS} units")
        header = data[position]
        position += 2 if header & 4 else 1
        size = len(data) - position
        if header & 2:
            size, position = _leb128(data, position)
        if header & 0x80 or size < 0 or position + size > len(data):
            raise CorruptImageError("AV1: a unit is longer than what holds it")
        yield header >> 3 & 15, data[position : position + size]
        position += size


def _leb128(data: memoryview, start: int) -> tuple[int, int]:
    """A number of seven bits a byte (section 4.10.5), and the offset after it. Raises `IndexError` at the end."""
    value = 0
    for position in range(start, start + 8):
        value |= (data[position] & 0x7F) << 7 * (position - start)
        if not data[position] & 0x80:
            return value, position + 1
    raise CorruptImageError("AV1: a unit has an impossible size")


def _read_sequence(bits: _Bits) -> _Sequence:
    """Section 5.5.1."""
    bits.read(4)  # profile, still picture
    reduced = bool(bits.read(1))
    if reduced:
        bits.read(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    width, height = bits.read(width_bits) + 1, bits.read(height_bits) + 1
    if reduced:
        return _Sequence(width, height, width_bits, height_bits)
    frame_id_bits = bits.read(4) + bits.read(3) + 3 if bits.read(1) else 0
    bits.read(7)  # super-blocks, intra and inter tools
    order_hints = bits.read(1)
    bits.read(2 * order_hints)
    screen_content = _SELECT if bits.read(1) else bits.read(1)
    integer_motion = _SELECT if not screen_content or bits.read(1) else bits.read(1)
    return _Sequence(
        width,
        height,
        width_bits,
        height_bits,
        reduced=False,
        frame_id_bits=frame_id_bits,
        screen_content=screen_content,
        integer_motion=integer_motion,
        order_hint_bits=bits.read(3) + 1 if order_hints else 0,
    )


def _skip_operating_points(bits: _Bits) -> None:
    if bits.read(1):
        _skip_timing(bits)
    delays = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:  # levels that have tiers
            bits.read(1)
        if delays and bits.read(1):
            bits.read(4)


def _skip_timing(bits: _Bits) -> None:
    bits.read(64)
    if bits.read(1):  # pictures at equal intervals: a number of n bits after n zeros and a one
        zeros = 0
        while not bits.read(1):
            zeros += 1
        bits.read(zeros)
    if bits.read(1):
        raise UnsupportedFormatError("AVIF: an image with a model of a video's decoder is not read")


def _frame_size(bits: _Bits, sequence: _Sequence) -> tuple[int, int]:
    """Section 5.9.2, up to the size that a frame may have instead of its sequence's."""
    if sequence.reduced or bits.read(1):  # the frame is one that was there
        return sequence.width, sequence.height
    kind = bits.read(2)
    shown = bits.read(1)
    if not shown:
        bits.read(1)
    if kind != _SWITCH_FRAME and not (shown and kind == _KEY_FRAME):
        bits.read(1)
    bits.read(1)
    screen_content = bits.read(1) if sequence.screen_content == _SELECT else sequence.screen_content
    if screen_content and sequence.integer_motion == _SELECT:
        bits.read(1)
    bits.read(sequence.frame_id_bits)
    if kind != _SWITCH_FRAME and not bits.read(1):
        return sequence.width, sequence.height
    if kind != _KEY_FRAME or not shown:
        raise UnsupportedFormatError("AVIF: a frame that takes its size from others is not read")
    bits.read(sequence.order_hint_bits)
    return bits.read(sequence.width_bits) + 1, bits.read(sequence.height_bits) + 1
