"""How a matte is kept and what can be told from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from events.errors import CorruptImageError, TooManyPixelsError, UnsupportedFormatError
from imaging.inspection import inspect
from imaging.limits import DEFAULT_LIMITS, Limits
from imaging.matte import confidence, decode_matte, encode_matte, has_foreground
from tests.unit.imaging.image_files import photo, png, png16, saved

if TYPE_CHECKING:
    from imaging.photo import Gray


def disc(side: int, radius: float, softness: float = 1.0) -> Gray:
    """A disc in the middle of a square, its edge `softness` px wide."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return np.asarray(np.clip((radius - np.hypot(x, y)) / softness + 0.5, 0, 1) * 255, np.uint8)


@settings(deadline=None)
@given(st_numpy.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_a_matte_survives_being_kept(matte: Gray) -> None:
    assert np.array_equal(decode_matte(encode_matte(matte)), matte)


def test_a_kept_matte_is_a_png_of_the_same_size_and_the_same_bytes_each_time() -> None:
    matte = disc(64, 20)[:, :50]
    data = encode_matte(matte)
    info = inspect(data)
    assert (info.format, info.width, info.height) == ("png", 50, 64)
    assert encode_matte(matte.copy()) == data


@pytest.mark.parametrize(
    "data",
    [
        saved(photo(), "PNG"),
        saved(photo().convert("L"), "JPEG"),
        png16(np.zeros((4, 4, 1), np.uint16), 0),
        png(9, 9, color=0, rows=b"\x00" * 20),
        encode_matte(disc(64, 20))[:-20],
        encode_matte(disc(64, 20))[:60] + b"\x00\x00\x00" + encode_matte(disc(64, 20))[63:],
    ],
    ids=["colour", "jpeg", "16 bits", "too few rows", "truncated", "damaged"],
)
def test_what_is_no_matte_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptImageError):
        decode_matte(data)


def test_a_matte_is_guarded_as_any_image_is() -> None:
    with pytest.raises(TooManyPixelsError):
        decode_matte(encode_matte(disc(64, 20)), Limits(max_side=63))
    with pytest.raises(UnsupportedFormatError):
        decode_matte(b"")


def test_a_matte_of_noise_is_larger_than_any_upload_and_is_read_all_the_same() -> None:
    matte = np.random.default_rng(0).integers(0, 256, (5800, 5800), dtype=np.uint8)
    data = encode_matte(matte)
    assert len(data) > DEFAULT_LIMITS.max_bytes
    assert np.array_equal(decode_matte(data), matte)


def test_a_subject_of_a_thousandth_of_the_frame_is_a_foreground() -> None:
    matte = np.zeros((100, 100), np.uint8)
    matte[0, :9] = 255
    assert not has_foreground(matte)
    matte[0, 9] = 128
    assert has_foreground(matte)


def test_haze_is_no_foreground() -> None:
    assert not has_foreground(np.full((50, 50), 127, np.uint8))


def test_confidence_falls_with_the_width_of_the_edge() -> None:
    by_softness = [confidence(disc(200, 60, softness)) for softness in (1, 8, 30, 100)]
    assert by_softness == sorted(by_softness, reverse=True)
    assert by_softness[0] > 0.98
    assert by_softness[-1] < 0.75


def test_confidence_does_not_depend_on_the_size_of_the_photo() -> None:
    assert confidence(disc(200, 60, 8)) == pytest.approx(confidence(disc(800, 240, 32)), abs=0.01)


def test_confidence_is_one_for_a_hard_edge_and_zero_for_nothing() -> None:
    hard = np.zeros((40, 40), np.uint8)
    hard[10:30, 10:30] = 255
    assert confidence(hard) == 1.0
    assert confidence(np.zeros((40, 40), np.uint8)) == 0.0
    assert confidence(np.full((40, 40), 128, np.uint8)) < 0.01
