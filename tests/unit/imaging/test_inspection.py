"""What a file is and how large, told from its structure."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from events.errors import CorruptImageError, TooLargeError, TooManyPixelsError, UnsupportedFormatError
from imaging.inspection import SNIFF_BYTES, inspect, sniff
from imaging.limits import Limits
from tests.unit.imaging.image_files import (
    HEIGHT,
    WHOLE_FILES,
    WIDTH,
    box,
    heif_structure,
    jpeg_header,
    photo,
    png,
    saved,
    tiff,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Maker = Callable[[Image.Image], bytes]

each_format = pytest.mark.parametrize(("name", "make"), WHOLE_FILES.items(), ids=WHOLE_FILES)


@each_format
def test_format_size_and_end_are_read(name: str, make: Maker) -> None:
    data = make(photo())
    info = inspect(data)
    assert (info.format, info.width, info.height) == (name.partition(" ")[0], WIDTH, HEIGHT)
    assert info.end == len(data)


@each_format
def test_sizes_that_fill_no_block_are_read(name: str, make: Maker) -> None:
    info = inspect(make(photo(138, 102)))
    assert (info.width, info.height) == (138, 102)


@each_format
def test_the_first_bytes_tell_the_format(name: str, make: Maker) -> None:
    assert sniff(make(photo())[:SNIFF_BYTES]) == name.partition(" ")[0]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
@each_format
def test_a_truncated_file_is_corrupt(name: str, make: Maker, share: float) -> None:
    data = make(photo(160, 120))
    with pytest.raises(CorruptImageError):
        inspect(data[: int(len(data) * share)])


@each_format
def test_only_the_image_belongs_to_it_not_what_follows(name: str, make: Maker) -> None:
    data = make(photo())
    assert inspect(data + b"\x17trailing bytes of a phone").end == len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"%PDF-1.7\n" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<!doctype html><html></html>",
        b"PK\x03\x04" + bytes(100),
        b"RIFF\x00\x01\x00\x00WAVEfmt " + bytes(100),
        box(b"ftyp", b"isom", bytes(4), b"mp42") + bytes(100),
        box(b"ftyp", b"qt  ", bytes(4)) + bytes(100),
        b"\x00\x00\x01\x00\x01\x00" + bytes(100),
        b"8BPS\x00\x01" + bytes(100),
        b"\x89PNG\r\n",
        b"BMW is not a bitmap",
    ],
    ids=["nothing", "text", "pdf", "svg", "html", "zip", "wave", "mp4", "mov", "ico", "psd", "half a png", "bmw"],
)
def test_what_is_no_image_is_unsupported(data: bytes) -> None:
    assert sniff(data[:SNIFF_BYTES]) is None
    with pytest.raises(UnsupportedFormatError, match="jpeg, png, webp"):
        inspect(data)


def test_the_byte_limit_names_itself() -> None:
    data = saved(photo(), "PNG")
    assert inspect(data, Limits(max_bytes=len(data))).end == len(data)
    with pytest.raises(TooLargeError, match=f"bytes: {len(data)}, at most {len(data) - 1}") as caught:
        inspect(data, Limits(max_bytes=len(data) - 1))
    assert caught.value.data == {"field": "bytes", "value": len(data), "limit": len(data) - 1}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (png(60_000, 60_000), "width: 60000, at most 16384"),
        (png(1, 16_385), "height: 16385, at most 16384"),
        (png(10_000, 5_001), "pixels: 50010000, at most 50000000"),
        (png(2**31 - 1, 2**31 - 1), "width: 2147483647"),
        (jpeg_header(65_535, 65_535) + b"\x00\xff\xd9", "width: 65535"),
        (heif_structure(20_000, 100), "width: 20000"),
        (tiff([(256, 4, 1, 4_000_000_000), (257, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 1)]), "width: 4000000000"),
    ],
)
def test_an_image_with_too_many_pixels_is_refused_by_its_header(data: bytes, field: str) -> None:
    with pytest.raises(TooManyPixelsError, match=field):
        inspect(data)


def test_the_largest_sizes_allowed_pass() -> None:
    assert inspect(png(16_384, 3_051)).width == 16_384
    assert inspect(png(10_000, 5_000)).height == 5_000


@pytest.mark.parametrize("data", [png(0, 10), png(10, 0), jpeg_header(10, 0) + b"\x00\xff\xd9", heif_structure(0, 9)])
def test_an_empty_image_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptImageError, match="impossible size"):
        inspect(data)


def test_a_jpeg_thumbnail_in_exif_is_not_taken_for_the_image() -> None:
    thumbnail = saved(photo(16, 12), "JPEG")
    whole = saved(photo(), "JPEG")
    data = whole[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 8) + b"Exif\x00\x00" + thumbnail + whole[2:]
    info = inspect(data)
    assert (info.width, info.height, info.end) == (WIDTH, HEIGHT, len(data))


def test_a_second_jpeg_after_the_first_is_not_part_of_it() -> None:
    primary = saved(photo(), "JPEG")
    assert inspect(primary + saved(photo(200, 100), "JPEG")).end == len(primary)


def test_stuffed_bytes_and_restart_markers_do_not_end_a_scan() -> None:
    data = jpeg_header(8, 8) + b"\x12\xff\x00\xff\x00\xff\xd0\x34\xff\xff\x00\xff\xd7" + b"\xff\xd9"
    assert inspect(data + b"rest").end == len(data)


def test_fill_bytes_before_a_marker_are_skipped() -> None:
    whole = saved(photo(), "JPEG")
    assert inspect(whole[:2] + b"\xff\xff\xff" + whole[2:]).width == WIDTH


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\xff\xd8\xff\xd9", "before its frame header"),
        (b"\xff\xd8\xff\xe0\x00\x01", "impossible length"),
        (b"\xff\xd8\xff\xe0\xff\xff", "impossible length"),
        (b"\xff\xd8\xff\xd8", "second start-of-image"),
        (jpeg_header(8, 8)[:15] + jpeg_header(8, 8)[2:] + b"\x00\xff\xd9", "second frame header"),
        (jpeg_header(8, 8) + b"\x00" * 50, "no end-of-image"),
        (jpeg_header(8, 8) + (b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x55") * 200 + b"\xff\xd9", "scans"),
        (b"\xff\xd8" + b"\xff\xe0\x00\x02" * 20_000 + b"\xff\xd9", "segments"),
    ],
)
def test_a_broken_jpeg_says_what_is_wrong(data: bytes, problem: str) -> None:
    with pytest.raises(CorruptImageError, match=problem):
        inspect(data)


def test_a_phone_photo_is_walked_in_a_moment() -> None:
    stuffed = bytes(range(1, 255)) + b"\xff\x00"
    data = jpeg_header(4000, 3000) + stuffed * 32_768 + b"\xff\xd9"
    start = time.process_time()
    assert inspect(data).end == len(data)
    assert time.process_time() - start < 0.25, "8 MB should take some 5 ms"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(jpeg_header(9, 9) + b"\xff" * 20_000_000, id="jpeg of fill bytes"),
        pytest.param(b"\xff\xd8" + b"\xff\xd0" * 10_000_000, id="jpeg of restart markers"),
        pytest.param(png(9, 9)[:33] + bytes(12) * 2_000_000, id="png of empty chunks"),
        pytest.param(
            saved(photo().quantize(4), "GIF")[:-1] + b"\x21\xfe" + b"\x01\x00" * 9_000_000, id="gif of tiny blocks"
        ),
        pytest.param(b"RIFF\xf0\x00\x00\x01WEBPVP8X" + bytes(16_777_700), id="webp of empty chunks"),
        pytest.param(box(b"ftyp", b"heic", bytes(4)) + box(b"free") * 2_000_000, id="heic of empty boxes"),
        pytest.param(
            box(b"ftyp", b"heic", bytes(4)) + box(b"meta", bytes(4), box(b"iprp", box(b"free") * 2_000_000)),
            id="heic of boxes",
        ),
        pytest.param(tiff([(256, 4, 1, 9), (257, 4, 1, 9), (273, 4, 2**32 - 1, 8)]), id="tiff of endless strips"),
    ],
)
def test_a_file_made_to_keep_the_reader_busy_is_given_up(data: bytes) -> None:
    start = time.process_time()
    with pytest.raises(CorruptImageError):
        inspect(data)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(saved(photo(), "JPEG") + random.Random(3).randbytes(8_000_000), id="jpeg before a video"),
        pytest.param(saved(photo(), "JPEG") + bytes(8_000_000), id="jpeg before padding"),
        pytest.param(
            saved(photo(), "JPEG")[:2] + (b"\xff\xfe\xff\xff" + b"x" * 65_533) * 120 + saved(photo(), "JPEG")[2:],
            id="jpeg of comments",
        ),
        pytest.param(heif_structure(64, 48, size_box=8_000_000), id="heic of one long property"),
        pytest.param(
            tiff(
                [(256, 3, 1, 9), (257, 3, 1, 9), (273, 4, 900_000, 62), (279, 4, 900_000, 62)],
                extra=struct.pack("<I", 4_000) * 1_000_000,
            ),
            id="tiff of many strips",
        ),
    ],
)
def test_inspection_takes_no_memory_to_speak_of(data: bytes) -> None:
    tracemalloc.start()
    try:
        inspect(data)
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


def test_a_png_must_start_with_its_header_and_have_pixels() -> None:
    whole = png(9, 9)
    with pytest.raises(CorruptImageError, match="header chunk"):
        inspect(whole[:8] + whole[33:])
    with pytest.raises(CorruptImageError, match="no pixel data"):
        inspect(whole[:33] + whole[-12:])


def test_a_png_chunk_that_lies_about_its_length_is_corrupt() -> None:
    whole = bytearray(saved(photo(), "PNG"))
    whole[33:37] = struct.pack(">I", 2**31 - 1)
    with pytest.raises(CorruptImageError, match="longer than the file"):
        inspect(bytes(whole))


def test_an_extended_webp_has_the_size_of_its_canvas() -> None:
    frames = [photo(40, 30), photo(40, 30).rotate(180)]
    info = inspect(saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    assert (info.width, info.height) == (40, 30)


def test_the_largest_item_of_a_heic_counts() -> None:
    sizes = [box(b"ispe", bytes(4), struct.pack(">II", *size)) for size in ((512, 512), (4032, 3024), (320, 240))]
    meta = box(b"meta", bytes(4), box(b"iprp", box(b"ipco", *sizes)))
    info = inspect(box(b"ftyp", b"heic", bytes(4), b"mif1") + meta + box(b"mdat", b"x"))
    assert (info.format, info.width, info.height) == ("heic", 4032, 3024)


@pytest.mark.parametrize("appended", [box(b"mpvd", b"video"), box(b"ftyp", b"mp42", bytes(4)) + box(b"mdat", b"v" * 9)])
def test_a_video_appended_to_a_heic_is_not_part_of_it(appended: bytes) -> None:
    still = heif_structure(64, 48)
    assert inspect(still + appended).end == len(still)


def test_a_64_bit_box_and_one_up_to_the_end_are_read() -> None:
    whole = heif_structure(64, 48)
    media = struct.pack(">I4sQ", 1, b"mdat", 20) + b"four"
    assert inspect(whole + media + struct.pack(">I4s", 0, b"mdat") + b"rest").end == len(whole) + len(media) + 12


def test_a_heif_sequence_without_a_still_image_is_unsupported() -> None:
    with pytest.raises(UnsupportedFormatError, match="without a still image"):
        inspect(box(b"ftyp", b"hevc", bytes(4), b"msf1") + box(b"moov", bytes(8)))


def test_a_heic_without_sizes_is_corrupt() -> None:
    start = box(b"ftyp", b"heic", bytes(4))
    with pytest.raises(CorruptImageError, match="no item properties"):
        inspect(start + box(b"meta", bytes(4)))
    with pytest.raises(CorruptImageError, match="declares its size"):
        inspect(start + box(b"meta", bytes(4), box(b"iprp", box(b"ipco"))))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_directory_may_stand_after_the_pixels(order: str) -> None:
    whole = tiff([(256, 3, 1, 7), (257, 4, 1, 5), (273, 4, 1, 8), (279, 4, 1, 35)], order=order)
    moved = whole[:4] + struct.pack(f"{order}I", 43) + bytes(35) + whole[8:]
    info = inspect(moved + b"rest")
    assert (info.format, info.width, info.height, info.end) == ("tiff", 7, 5, len(moved))


@pytest.mark.parametrize("head", [b"II\x2b\x00\x08\x00\x00\x00", b"MM\x00\x2b\x00\x08\x00\x00"])
def test_bigtiff_is_refused_by_name(head: bytes) -> None:
    with pytest.raises(UnsupportedFormatError, match="BigTIFF"):
        inspect(head + bytes(100))


def test_camera_raw_is_refused_rather_than_its_preview_taken() -> None:
    entries = [(254, 4, 1, 1), (256, 3, 1, 160), (257, 3, 1, 120), (273, 4, 1, 8), (279, 4, 1, 8)]
    with pytest.raises(UnsupportedFormatError, match="camera raw"):
        inspect(tiff(entries))


@pytest.mark.parametrize(
    "entries",
    [
        [(256, 3, 1, 9)],
        [(256, 3, 1, 9), (257, 3, 1, 9)],
        [(256, 2, 1, 9), (257, 3, 1, 9), (273, 4, 1, 8), (279, 4, 1, 8)],
        [(256, 3, 1, 9), (257, 3, 1, 9), (273, 4, 1, 8), (279, 4, 1, 999)],
        [(256, 3, 1, 9), (257, 3, 1, 9), (273, 4, 2, 2**31), (279, 4, 1, 8)],
    ],
    ids=["no height", "no strips", "width is text", "strip after the end", "offsets after the end"],
)
def test_a_tiff_directory_that_makes_no_sense_is_corrupt(entries: list[tuple[int, int, int, int]]) -> None:
    with pytest.raises(CorruptImageError):
        inspect(tiff(entries))


def test_a_top_down_bitmap_has_a_positive_height() -> None:
    data = bytearray(saved(photo(), "BMP"))
    data[22:26] = struct.pack("<i", -HEIGHT)
    assert inspect(bytes(data)).height == HEIGHT


@pytest.mark.parametrize(
    ("offset", "value", "error"),
    [
        (14, 41, CorruptImageError),
        (18, -5, CorruptImageError),
        (18, 90_000, CorruptImageError),
        (30, 4, UnsupportedFormatError),
    ],
)
def test_a_bitmap_header_that_makes_no_sense_is_refused(offset: int, value: int, error: type[Exception]) -> None:
    data = bytearray(saved(photo(), "BMP"))
    data[offset : offset + 4] = struct.pack("<i", value)
    with pytest.raises(error):
        inspect(bytes(data))


def test_an_animated_gif_ends_after_its_last_frame() -> None:
    frames = [Image.new("RGB", (20, 10), color) for color in ("red", "green", "blue")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], comment=b"made for a test")
    info = inspect(data + b"rest")
    assert (info.width, info.height, info.end) == (20, 10, len(data))


def test_a_gif_frame_that_reaches_beyond_the_screen_counts_in_full() -> None:
    data = bytearray(saved(photo().quantize(4), "GIF"))
    data[6:10] = struct.pack("<HH", 1, 1)
    assert inspect(bytes(data)).width == WIDTH


def test_a_gif_without_its_last_byte_is_read() -> None:
    data = saved(photo().quantize(4), "GIF")
    assert inspect(data[:-1]).end == len(data) - 1


def test_inspection_loads_no_image_library() -> None:
    code = (
        "import sys, imaging.inspection;"
        "print([name for name in ('numpy', 'PIL', 'cv2', 'pillow_heif') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
