"""Any accepted file to upright sRGB pixels and nothing else."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import io
import struct
from typing import TYPE_CHECKING, Final

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps

from events.errors import CorruptImageError, PolyglotError, TooLargeError, TooManyPixelsError, UnsupportedFormatError
from imaging.decode import decode, decode_reduced
from imaging.limits import Limits
from imaging.photo import Photo, for_network, over
from tests.unit.imaging.image_files import (
    BLUE,
    GREEN,
    HEIGHT,
    RED,
    WHITE,
    WHOLE_FILES,
    WIDTH,
    exif,
    heic,
    photo,
    png,
    png16,
    png_chunk,
    quadrants,
    saved,
    tiff,
    zip_archive,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Maker = Callable[[Image.Image], bytes]

LOSSLESS: Final = ("png", "webp lossless", "tiff", "tiff lzw", "bmp", "gif")
EXIF_FORMATS: Final[dict[str, Callable[[Image.Image, bytes], bytes]]] = {
    "jpeg": lambda image, block: saved(image, "JPEG", quality=95, subsampling=0, exif=block),
    "png": lambda image, block: saved(image, "PNG", exif=block),
    "webp": lambda image, block: saved(image, "WEBP", lossless=True, exif=block),
    "tiff": lambda image, block: saved(image, "TIFF", exif=block),
    "avif": lambda image, block: saved(image, "AVIF", quality=95, subsampling="4:4:4", exif=block),
    "heic": heic,
}


def difference(pixels: NDArray[np.uint8], expected: NDArray[np.uint8]) -> float:
    """Mean absolute difference, of 255."""
    assert pixels.shape == expected.shape
    return float(np.abs(pixels.astype(np.int16) - expected).mean())


def colors_of(pixels: NDArray[np.uint8]) -> list[tuple[int, ...]]:
    """The colour in the middle of each quadrant."""
    height, width = pixels.shape[:2]
    return [tuple(map(int, pixels[y, x])) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]


@pytest.mark.parametrize(("name", "make"), WHOLE_FILES.items(), ids=WHOLE_FILES)
def test_every_format_gives_its_pixels(name: str, make: Maker) -> None:
    decoded = decode(make(photo()))
    assert (decoded.width, decoded.height, decoded.alpha) == (WIDTH, HEIGHT, None)
    assert decoded.rgb.dtype == np.uint8
    assert difference(decoded.rgb, quadrants()) <= (0 if name in LOSSLESS else 2.5)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", EXIF_FORMATS)
def test_a_photo_comes_out_upright(name: str, orientation: int) -> None:
    data = EXIF_FORMATS[name](photo(), exif(orientation))
    image = photo()
    image.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(image))
    assert difference(decode(data).rgb, upright) < 2.5


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    assert decode(saved(photo(), "PNG", exif=exif(orientation))).rgb.shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("orientation", [1, 6, 7])
@pytest.mark.parametrize(("least", "divisor"), [(152, 2), (77, 2), (76, 4), (38, 8), (1, 8)])
def test_a_jpeg_can_be_decoded_at_a_fraction_of_its_size(least: int, divisor: int, orientation: int) -> None:
    data = saved(Image.fromarray(quadrants(400, 304)), "JPEG", quality=95, exif=exif(orientation))
    whole, reduced = decode(data), decode_reduced(data, least)
    assert reduced is not None
    height, width = whole.rgb.shape[:2]
    expected = Image.fromarray(whole.rgb).resize((width // divisor, height // divisor), Image.Resampling.BOX)
    assert difference(reduced.rgb, np.asarray(expected)) < 2


def test_what_has_no_smaller_size_or_no_quick_way_to_it_is_not_reduced() -> None:
    large = Image.fromarray(quadrants(400, 300))
    assert decode_reduced(saved(large, "JPEG"), 151) is None
    assert decode_reduced(saved(large, "PNG"), 32) is None
    assert decode_reduced(saved(large.convert("CMYK"), "JPEG"), 32) is None


def test_a_broken_jpeg_is_corrupt_at_any_size() -> None:
    headless = saved(Image.fromarray(quadrants(400, 300)), "JPEG")[:300] + b"\xff\xd9"
    for read in (decode, lambda data: decode_reduced(data, 32)):
        with pytest.raises(CorruptImageError):
            read(headless)


@pytest.mark.parametrize(
    "block", [b"", b"Exif\x00\x00", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"Exif\x00\x00XX", exif(6)[:-20]]
)
def test_broken_exif_does_not_stop_a_photo(block: bytes) -> None:
    assert decode(saved(photo(), "JPEG", exif=block)).rgb.size == HEIGHT * WIDTH * 3


def test_the_alpha_turns_with_the_colours() -> None:
    image = photo().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize((WIDTH, HEIGHT)))
    decoded = decode(saved(image, "PNG", exif=exif(6)))
    assert decoded.alpha is not None
    assert decoded.alpha.shape == decoded.rgb.shape[:2] == (WIDTH, HEIGHT)
    assert decoded.alpha[0, 0] > decoded.alpha[0, -1]


def test_a_photo_holds_pixels_and_nothing_else() -> None:
    decoded = decode(saved(photo(), "JPEG", exif=exif(3)))
    assert [field.name for field in dataclasses.fields(decoded)] == ["rgb", "alpha"]
    assert type(decoded.rgb) is np.ndarray


def test_the_fast_jpeg_path_gives_the_pixels_that_pillow_gives() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (90, 130, 3), np.uint8)
    for options in ({"quality": 80}, {"quality": 92, "subsampling": 0}, {"quality": 85, "progressive": True}):
        data = saved(Image.fromarray(noise), "JPEG", **options)
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(decode(data).rgb, np.asarray(image))


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("1", "PNG"),
        ("1", "TIFF"),
        ("1", "BMP"),
        ("L", "PNG"),
        ("L", "JPEG"),
        ("L", "WEBP"),
        ("P", "PNG"),
        ("P", "BMP"),
        ("P", "TIFF"),
    ],
)
def test_grey_palette_and_one_bit_images_become_rgb(mode: str, kind: str) -> None:
    image = photo().convert("L").point(lambda value: 255 * (value > 128)).convert(mode)
    expected = np.asarray(image.convert("RGB"))
    assert difference(decode(saved(image, kind)).rgb, expected) < 2


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_an_alpha_channel_is_kept_straight(mode: str, kind: str) -> None:
    image = photo().convert("RGBA" if mode == "RGBA" else "LA")
    image.putalpha(Image.linear_gradient("L").resize((WIDTH, HEIGHT)))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    decoded = decode(saved(image, kind, **options))
    assert np.array_equal(np.asarray(decoded.alpha), np.asarray(image.getchannel("A")))
    assert np.array_equal(decoded.rgb, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("name", ["heic", "avif"])
def test_the_alpha_of_heic_and_avif_is_read(name: str) -> None:
    image = photo().convert("RGBA")
    image.putalpha(100)
    decoded = decode(WHOLE_FILES[name](image))
    assert decoded.alpha is not None
    assert np.abs(decoded.alpha.astype(int) - 100).max() <= 2


def test_an_alpha_channel_that_hides_nothing_is_dropped() -> None:
    assert decode(saved(photo().convert("RGBA"), "PNG")).alpha is None


def test_a_palette_may_have_one_transparent_entry_or_many() -> None:
    image = photo().quantize(4)
    red, green = image.getpixel((0, 0)), image.getpixel((WIDTH - 1, 0))
    assert isinstance(red, int)
    assert isinstance(green, int)
    one = decode(saved(image, "PNG", transparency=red))
    opacities = bytearray(b"\xff" * 4)
    opacities[red], opacities[green] = 0, 128
    many = decode(saved(image, "PNG", transparency=bytes(opacities)))
    assert one.alpha is not None
    assert many.alpha is not None
    assert (one.alpha[0, 0], one.alpha[0, -1]) == (0, 255)
    assert (many.alpha[0, 0], many.alpha[0, -1], many.alpha[-1, -1]) == (0, 128, 255)
    assert colors_of(many.rgb) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_png_may_name_one_transparent_colour(mode: str) -> None:
    image = photo().convert(mode)
    decoded = decode(saved(image, "PNG", transparency=image.getpixel((0, 0))))
    assert decoded.alpha is not None
    assert (decoded.alpha[0, 0], decoded.alpha[0, -1]) == (0, 255)


def test_16_bit_samples_are_scaled_not_clipped() -> None:
    wide = quadrants().astype(np.uint16) * 257
    gray = np.linspace(0, 65_535, WIDTH * HEIGHT).astype(np.uint16).reshape(HEIGHT, WIDTH)
    expected = np.rint(gray / 257).astype(np.uint8)[..., None].repeat(3, 2)
    assert colors_of(decode(png16(wide, 2)).rgb) == [RED, GREEN, BLUE, WHITE]
    for data in (png16(gray[..., None], 0), saved(Image.fromarray(gray), "TIFF")):
        assert np.array_equal(decode(data).rgb, expected)


def test_16_bit_alpha_and_16_bit_transparent_colours_are_read() -> None:
    wide = quadrants().astype(np.uint16) * 257
    half = np.full((HEIGHT, WIDTH, 1), 32_896, np.uint16)
    red = wide[0, 0]
    for data in (png16(np.dstack((wide, half)), 6), png16(np.dstack((wide[..., :1], half)), 4)):
        decoded = decode(data)
        assert decoded.alpha is not None
        assert (decoded.alpha == 128).all()
    for data in (
        png16(wide, 2, png_chunk(b"tRNS", struct.pack(">3H", *red))),
        png16(wide[..., :1], 0, png_chunk(b"tRNS", struct.pack(">H", red[0]))),
    ):
        decoded = decode(data)
        assert decoded.alpha is not None
        assert (decoded.alpha[0, 0], decoded.alpha[0, -1]) == (0, 255)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_the_first_frame_of_an_animation_counts(kind: str) -> None:
    frames = [Image.new("RGB", (WIDTH, HEIGHT), color) for color in ("red", "lime", "blue")]
    decoded = decode(saved(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert difference(decoded.rgb, np.asarray(frames[0])) < 2


def test_the_first_page_of_a_tiff_counts() -> None:
    pages = [photo(), photo(30, 20)]
    assert np.array_equal(decode(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])).rgb, quadrants())


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits", "jpeg"])
def test_compressed_tiffs_are_read(compression: str) -> None:
    assert difference(decode(saved(photo(), "TIFF", compression=compression)).rgb, quadrants()) < 3


def test_ten_bit_heic_becomes_eight_bit() -> None:
    wide = (quadrants().astype(np.uint16) * 257).tobytes()
    file = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", (WIDTH, HEIGHT), wide).save(file, quality=95)
    assert difference(decode(file.getvalue()).rgb, quadrants()) < 2.5


def test_trailing_bytes_never_reach_the_codec() -> None:
    whole = saved(photo(), "JPEG", quality=95, subsampling=0)
    assert np.array_equal(decode(whole + saved(photo(30, 20), "JPEG")).rgb, decode(whole).rgb)


def test_a_multi_picture_jpeg_is_its_first_picture() -> None:
    data = saved(photo(), "MPO", save_all=True, append_images=[photo(30, 20)], quality=95, subsampling=0)
    assert difference(decode(data).rgb, quadrants()) < 2.5


def test_a_truncated_file_is_corrupt() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8))
    for make in WHOLE_FILES.values():
        data = make(noise)
        with pytest.raises(CorruptImageError):
            decode(data[: len(data) * 2 // 3])


@pytest.mark.parametrize("rows", [b"", b"\x00\xff\xff", b"\x09" * 31])
def test_a_png_with_too_few_pixels_or_bad_filters_is_corrupt(rows: bytes) -> None:
    with pytest.raises(CorruptImageError, match="png"):
        decode(png(10, 10, rows=rows))


@pytest.mark.parametrize("height", [HEIGHT // 2, HEIGHT * 4])
def test_a_header_that_lies_about_its_height_gets_what_it_claims_or_is_corrupt(height: int) -> None:
    whole = saved(photo(), "PNG")
    lie = whole[:8] + png_chunk(b"IHDR", struct.pack(">II", WIDTH, height) + whole[24:29]) + whole[33:]
    try:
        shape = decode(lie).rgb.shape
    except CorruptImageError:
        return
    assert shape == (height, WIDTH, 3)


def test_a_bomb_is_refused_before_anything_is_decoded() -> None:
    with pytest.raises(TooManyPixelsError):
        decode(png(60_000, 60_000, rows=bytes(1000)))


def test_limits_are_the_callers() -> None:
    data = saved(photo(), "PNG")
    with pytest.raises(TooManyPixelsError, match=f"width: {WIDTH}, at most 50"):
        decode(data, Limits(max_side=50))
    with pytest.raises(TooLargeError):
        decode(data, Limits(max_bytes=50))


def test_what_inspection_refuses_is_not_decoded() -> None:
    with pytest.raises(PolyglotError):
        decode(saved(photo(), "JPEG") + zip_archive())
    with pytest.raises(UnsupportedFormatError):
        decode(b"GIF is not what this is")


def test_samples_of_32_bits_are_unsupported() -> None:
    for kind in (np.float32, np.int32):
        with pytest.raises(UnsupportedFormatError, match="samples"):
            decode(saved(Image.fromarray(np.ones((9, 9), kind)), "TIFF"))


def test_a_tiff_without_photometry_is_corrupt_not_a_crash() -> None:
    entries = [(256, 3, 1, 7), (257, 3, 1, 5), (259, 3, 1, 60_000), (273, 4, 1, 8), (279, 4, 1, 35)]
    with pytest.raises(CorruptImageError, match="tiff"):
        decode(tiff(entries))


def test_a_large_text_chunk_does_not_stop_a_png() -> None:
    data = saved(photo(), "PNG")
    text = png_chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + b"x" * 3_000_000)
    assert np.array_equal(decode(data[:33] + text + data[33:]).rgb, quadrants())


def test_threads_decode_side_by_side() -> None:
    files = [make(photo()) for make in WHOLE_FILES.values()] * 4
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        shapes = {decoded.rgb.shape for decoded in pool.map(decode, files)}
    assert shapes == {(HEIGHT, WIDTH, 3)}


def test_the_network_sees_white_where_a_photo_is_transparent() -> None:
    rgb = np.full((1, 3, 3), 100, np.uint8)
    alpha = np.array([[0, 128, 255]], np.uint8)
    assert for_network(Photo(rgb, alpha))[0, :, 0].tolist() == [255, 177, 100]
    assert for_network(Photo(rgb)) is rgb


def test_over_is_exact_at_both_ends() -> None:
    values = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
    assert np.array_equal(over(values, np.full((1, 256), 255, np.uint8), (1, 2, 3)), values)
    assert (over(values, np.zeros((1, 256), np.uint8), (1, 2, 3)) == (1, 2, 3)).all()
