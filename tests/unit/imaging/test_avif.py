"""An AVIF's frames are as large as its AV1 headers say, whatever its boxes say: both are read."""

from __future__ import annotations

import struct
import time
from typing import Final

import numpy as np
import pytest

from events.errors import CorruptImageError, TooManyPixelsError, UnsupportedFormatError
from imaging.decode import decode
from imaging.inspection import inspect
from tests.unit.imaging.avif_files import (
    av1_units,
    avif,
    frame_header,
    pillow_units,
    redeclared,
    sequence_header,
)
from tests.unit.imaging.image_files import HEIGHT, WIDTH, photo, saved

SEQUENCE, FRAME_HEADER, TILES, FRAME = 1, 3, 4, 6
SMALL: Final = sequence_header(64, 64)


def still(sequence: bytes, *frames: bytes, declared: tuple[int, int] = (64, 64)) -> bytes:
    return avif(*declared, av1_units((SEQUENCE, sequence), *((FRAME, frame) for frame in frames)))


@pytest.mark.parametrize("declared", [(64, 64), (WIDTH, HEIGHT - 1), (WIDTH - 1, HEIGHT)])
def test_a_frame_larger_than_declared_is_refused_before_it_is_decoded(declared: tuple[int, int]) -> None:
    data = redeclared(saved(photo(), "AVIF"), *declared)
    for read in (inspect, decode):
        with pytest.raises(CorruptImageError, match=f"a frame of {WIDTH} x {HEIGHT} px, larger than the file declares"):
            read(data)


def test_a_frame_too_large_for_anybody_is_refused_by_what_is_declared() -> None:
    with pytest.raises(TooManyPixelsError):
        inspect(still(sequence_header(20_000, 100), frame_header(), declared=(20_000, 100)))


@pytest.mark.parametrize("bits", [7, 16])
@pytest.mark.parametrize("timing", [False, True])
@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("hints", [False, True])
def test_a_frame_with_a_size_of_its_own_is_held_to_what_is_declared(
    bits: int, *, timing: bool, ids: bool, hints: bool
) -> None:
    sequence = sequence_header(64, 64, bits=bits, timing=timing, ids=ids, hints=hints)
    for size in (None, (64, 64), (32, 48)):
        assert inspect(still(sequence, frame_header(size, bits=bits, ids=ids, hints=hints))).width == 64
    with pytest.raises(CorruptImageError, match="a frame of 65 x 64 px"):
        inspect(still(sequence, frame_header((65, 64), bits=bits, ids=ids, hints=hints)))


def test_every_layer_of_an_image_is_looked_at() -> None:
    assert inspect(still(SMALL, frame_header((32, 32)), frame_header(kind=1))).width == 64
    with pytest.raises(CorruptImageError, match="9000 x 9000"):
        inspect(still(SMALL, frame_header((32, 32)), frame_header((9000, 9000))))
    second = av1_units((SEQUENCE, sequence_header(9000, 9000)), (FRAME_HEADER, frame_header()), (TILES, b"tiles"))
    with pytest.raises(CorruptImageError, match="9000 x 9000"):
        inspect(avif(64, 64, av1_units((SEQUENCE, SMALL), (FRAME, frame_header())) + second))


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_a_later_frame_with_a_size_of_its_own_is_not_read(kind: int) -> None:
    with pytest.raises(UnsupportedFormatError, match="takes its size from others"):
        inspect(still(SMALL, frame_header(), frame_header((64, 64), kind=kind)))


def test_real_pixels_are_found_wherever_the_boxes_put_them() -> None:
    units = pillow_units()
    whole = avif(WIDTH, HEIGHT, units)
    assert (inspect(whole).width, inspect(whole).end) == (WIDTH, len(whole))
    assert inspect(avif(WIDTH, HEIGHT, units, method=1)).height == HEIGHT
    assert inspect(avif(WIDTH, HEIGHT, units, items=3)).height == HEIGHT
    pieces = [(len(units) - 40, 40), (0, len(units) - 40)]
    assert inspect(avif(WIDTH, HEIGHT, units[40:] + units[:40], pieces=pieces)).height == HEIGHT
    for hidden in (avif(64, 64, units, method=1), avif(64, 64, units[40:] + units[:40], pieces=pieces)):
        with pytest.raises(CorruptImageError, match="larger than the file declares"):
            inspect(hidden)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (avif(64, 64, b""), "has no frame"),
        (avif(64, 64, pillow_units(), kind=b"hvc1"), "has no frame"),
        (avif(64, 64, av1_units((FRAME, frame_header()))), "before the sequence header"),
        (still(SMALL[:4]), "header is truncated"),
        (avif(64, 64, b"\x0a\x7f" + SMALL), "longer than what holds it"),
        (avif(64, 64, b"\x0a" + b"\xff" * 9), "impossible size"),
        (avif(64, 64, b"\x0a"), "truncated"),
        (avif(64, 64, SMALL, pieces=[(0, 5000)]), "after the end of the file|items overlap"),
        (avif(64, 64, SMALL, pieces=[(0, 10)] * 90), "items overlap"),
        (avif(64, 64, SMALL).replace(b"iloc", b"free"), "where its items are"),
        (avif(64, 64, SMALL).replace(b"iinf", b"free"), "what its items are"),
        (avif(64, 64, SMALL).replace(b"\x44\x40\x00\x01", b"\x44\x40\x00\x09"), "table of items is truncated"),
    ],
)
def test_a_broken_avif_says_what_is_wrong(data: bytes, problem: str) -> None:
    with pytest.raises(CorruptImageError, match=problem):
        inspect(data)


def test_an_item_made_of_other_items_is_not_read() -> None:
    data = avif(64, 64, pillow_units(), method=1).replace(struct.pack(">HHH", 1, 1, 0), struct.pack(">HHH", 1, 2, 0))
    with pytest.raises(UnsupportedFormatError, match="parts of other items"):
        inspect(data)


def test_an_avif_made_to_keep_the_reader_busy_is_given_up() -> None:
    many_units = avif(64, 64, av1_units((SEQUENCE, SMALL), (FRAME, frame_header())) + b"\x12\x00" * 4_000_000)
    many_pieces = avif(64, 64, SMALL, pieces=[(0, 0)] * 60_000)
    for data in (many_units, many_pieces):
        start = time.process_time()
        with pytest.raises(CorruptImageError, match="more than"):
            inspect(data)
        assert time.process_time() - start < 2


def test_the_still_image_of_an_animation_is_decoded_and_not_its_track() -> None:
    """A track has sizes of its own, which nobody has checked."""
    frames = [photo(), photo().rotate(180)]
    data = saved(frames[0], "AVIF", save_all=True, append_images=frames[1:], quality=100, subsampling="4:4:4")
    assert data[8:12] == b"avis"
    track = data.index(b"av01", data.index(b"moov"))
    lying = bytearray(data)
    lying[track + 28 : track + 32] = struct.pack(">HH", 9000, 9000)
    lying[data.index(b"tkhd") + 88 : data.index(b"tkhd") + 96] = struct.pack(">II", 9000 << 16, 9000 << 16)
    for each in (data, bytes(lying)):
        decoded = decode(each)
        assert decoded.rgb.shape == (HEIGHT, WIDTH, 3)
        assert np.abs(decoded.rgb.astype(int) - np.asarray(frames[0])).mean() < 4
