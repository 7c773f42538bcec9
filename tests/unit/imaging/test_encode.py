"""Encoded results: the right pixels, no metadata, the same bytes each time."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Final
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from events.errors import UnsupportedRecipeError
from imaging.encode import encode_avif, encode_gray, encode_jpeg, encode_png, encode_webp
from imaging.inspection import inspect
from tests.unit.imaging.image_files import HEIGHT, WIDTH, quadrants

if TYPE_CHECKING:
    from collections.abc import Callable

RGB: Final = quadrants()
ALPHA: Final = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))

ENCODERS: Final[dict[str, Callable[[], bytes]]] = {
    "png": lambda: encode_png(RGB),
    "png with alpha": lambda: encode_png(RGB, ALPHA),
    "webp": lambda: encode_webp(RGB),
    "webp with alpha": lambda: encode_webp(RGB, ALPHA),
    "jpeg": lambda: encode_jpeg(RGB),
    "avif": lambda: encode_avif(RGB),
    "avif with alpha": lambda: encode_avif(RGB, ALPHA),
    "grey": lambda: encode_gray(ALPHA),
}


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def png_chunks(data: bytes) -> list[bytes]:
    position, kinds = 8, []
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        kinds.append(kind)
        position += 12 + length
    return kinds


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
def test_the_same_pixels_give_the_same_bytes(encode: Callable[[], bytes]) -> None:
    assert encode() == encode()


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
def test_no_metadata_is_written(encode: Callable[[], bytes]) -> None:
    data = encode()
    image = opened(data)
    assert not image.getexif()
    assert not {"icc_profile", "exif", "xmp", "comment", "dpi"} & {key for key, value in image.info.items() if value}
    assert inspect(data).end == len(data)


@pytest.mark.parametrize("name", ["png", "png with alpha", "grey"])
def test_a_png_has_the_chunks_that_it_needs_and_no_others(name: str) -> None:
    kinds = png_chunks(ENCODERS[name]())
    assert kinds[0] == b"IHDR"
    assert kinds[-1] == b"IEND"
    assert set(kinds[1:-1]) == {b"IDAT"}


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (700, 900)])
def test_png_is_lossless(size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(5).integers(0, 256, (*size, 3), np.uint8)
    alpha = np.ascontiguousarray(rgb[:, :, 0] // 2)
    assert np.array_equal(np.asarray(opened(encode_png(rgb))), rgb)
    assert np.array_equal(np.asarray(opened(encode_png(rgb, alpha))), np.dstack((rgb, alpha)))
    assert np.array_equal(np.asarray(opened(encode_gray(alpha))), alpha)
    assert np.array_equal(np.asarray(opened(encode_gray(ALPHA))), ALPHA)


def test_webp_keeps_alpha_exactly_and_colours_nearly() -> None:
    pixels = np.asarray(opened(encode_webp(RGB, ALPHA)))
    assert np.array_equal(pixels[..., 3], ALPHA)
    visible = ALPHA > 0
    assert np.abs(pixels[..., :3][visible].astype(int) - RGB[visible]).mean() < 4


def test_avif_keeps_alpha_and_colours_nearly() -> None:
    pixels = np.asarray(opened(encode_avif(RGB, ALPHA))).astype(int)
    assert np.abs(pixels[..., 3] - ALPHA).mean() < 1
    visible = ALPHA > 8
    assert np.abs(pixels[..., :3][visible] - RGB[visible]).mean() < 5


@pytest.mark.parametrize(
    ("encode", "tag"),
    [
        (encode_png, (b"pHYs", struct.pack(">2IB", 11_811, 11_811, 1))),
        (encode_jpeg, (b"JFIF\x00\x01\x01", struct.pack(">B2H", 1, 300, 300))),
        (encode_webp, (b"EXIF", b"")),
        (encode_avif, (b"Exif", b"")),
    ],
    ids=["png", "jpeg", "webp", "avif"],
)
def test_a_resolution_is_written_where_the_format_has_a_place_for_it(
    encode: Callable[..., bytes], tag: tuple[bytes, bytes]
) -> None:
    data = encode(RGB, dpi=300)
    assert b"".join(tag) in data
    assert inspect(data).end == len(data)
    image = opened(data)
    exif = dict(image.getexif())
    if exif:
        assert exif == {0x011A: 300.0, 0x011B: 300.0, 0x0128: 2}
    else:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)


def test_jpeg_keeps_colours_and_their_full_resolution() -> None:
    image = opened(encode_jpeg(RGB))
    assert np.abs(np.asarray(image).astype(int) - RGB).mean() < 3
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]  # of JpegImageFile


def test_a_side_that_webp_can_not_hold_is_refused_with_the_way_out() -> None:
    with pytest.raises(UnsupportedRecipeError, match="16383 px a side: give max_side"):
        encode_webp(np.zeros((1, 16_384, 3), np.uint8))
    assert inspect(encode_webp(np.zeros((1, 16_383, 3), np.uint8))).width == 16_383


def test_more_detail_than_webp_can_hold_is_refused_with_the_way_out() -> None:
    """Some 40 megapixels of noise: its library reports an overflow."""
    overflow = mock.patch.object(Image.Image, "save", side_effect=ValueError("encoding error 6"))
    with (
        overflow,
        pytest.raises(UnsupportedRecipeError, match=f"{WIDTH} x {HEIGHT} px with so much detail: give max_side"),
    ):
        encode_webp(RGB)


def test_views_of_larger_arrays_are_encoded_as_they_look() -> None:
    view, alpha = RGB[5:50, 7:70], ALPHA[5:50, 7:70]
    assert np.array_equal(np.asarray(opened(encode_png(view, alpha))), np.dstack((view, alpha)))
    assert np.array_equal(np.asarray(opened(encode_gray(alpha))), alpha)
    assert opened(encode_webp(view, alpha)).size == opened(encode_jpeg(view)).size == (63, 45)
