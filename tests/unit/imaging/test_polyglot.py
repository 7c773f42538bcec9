"""An image that is also something else is refused; a phone's photo never is."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from typing import TYPE_CHECKING, Final

import pytest

from events.errors import PolyglotError
from imaging.inspection import inspect
from tests.unit.imaging.image_files import box, jpeg_header, photo, png, png_chunk, saved, zip_archive

if TYPE_CHECKING:
    from collections.abc import Callable

JPEG: Final = saved(photo(), "JPEG")
PNG: Final = saved(photo(), "PNG")
WINDOWS_PROGRAM: Final = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\x00\x00" + bytes(60)
MOTION_VIDEO: Final = box(b"ftyp", b"mp42", bytes(4)) + box(b"mdat", random.Random(7).randbytes(3_000_000))


def comment(text: bytes) -> bytes:
    """A JPEG with a comment segment."""
    return JPEG[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + JPEG[2:]


@pytest.mark.parametrize(
    ("tail", "what"),
    [
        (zip_archive(), "ZIP"),
        (b"padding" + zip_archive(), "ZIP"),
        (zip_archive(comment=b"c" * 60_000), "ZIP"),
        (zip_archive() + b"junk after", "ZIP"),
        (b"PK\x03\x04" + bytes(50), "ZIP"),
        (b"x" * 50 + b"Rar!\x1a\x07\x01\x00", "RAR"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "7z"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\x7fELF\x02\x01\x01", "ELF"),
        (b"\xcf\xfa\xed\xfe\x07\x00", "Mach-O"),
        (WINDOWS_PROGRAM, "Windows"),
        (b"\x00\x00\r\n" + WINDOWS_PROGRAM, "Windows"),
        (b"#!/bin/sh\nrm -rf /", "script"),
        (b"%PDF-1.4\n", "PDF"),
        (b"\n<!DOCTYPE html>", "web page"),
        (b"<HTML>", "web page"),
        (b"<svg xmlns='x'>", "SVG"),
        (b"harmless\n<?php system($_GET[0]);", "PHP"),
        (b"harmless <ScRiPt>alert(1)</script>", "web page"),
    ],
)
@pytest.mark.parametrize("image", [JPEG, PNG], ids=["jpeg", "png"])
def test_what_is_appended_to_an_image_is_found(image: bytes, tail: bytes, what: str) -> None:
    with pytest.raises(PolyglotError, match=what):
        inspect(image + tail)


@pytest.mark.parametrize(
    "data",
    [
        comment(b"%PDF-1.7\n1 0 obj"),
        comment(b"<?php echo 1; ?>"),
        comment(b"*/ <script src=x>"),
        PNG[:33] + png_chunk(b"tEXt", b"Comment\x00<?php\nphpinfo();") + PNG[33:],
        PNG[:-12] + png_chunk(b"tEXt", b"Comment\x00<script>alert(1)</script>") + PNG[-12:],
        saved(photo().quantize(4), "GIF", comment=b"<?php eval($_POST[1]); ?>"),
        PNG[:-12] + png_chunk(b"zIPp", zip_archive()) + PNG[-12:],
    ],
    ids=[
        "pdf in jpeg",
        "php in jpeg",
        "script in jpeg",
        "php in png",
        "script after png data",
        "php in gif",
        "zip in png",
    ],
)
def test_what_hides_in_metadata_is_found(data: bytes) -> None:
    with pytest.raises(PolyglotError):
        inspect(data)


def test_archives_found_are_archives_that_open() -> None:
    data = JPEG + zip_archive()
    assert zipfile.ZipFile(io.BytesIO(data)).read("a") == b"hi"
    with pytest.raises(PolyglotError, match="the image is also a ZIP archive") as caught:
        inspect(data)
    assert caught.value.data == {"found": "a ZIP archive"}


@pytest.mark.parametrize(
    "tail",
    [
        MOTION_VIDEO,
        JPEG,
        bytes(5000),
        b"\x00\x00\x0a\x0eImage_UTC_Data1700000000000" + b"SEFH" + bytes(12) + b"SEFT",
        b"MZ is how this trailer starts, and nothing more" + bytes(80),
        b"an end record cut short PK\x05\x06",
        b"PK\x05\x06" + b"\x01" * 18,
        b"<?xpacket begin=''?> is XMP",
    ],
    ids=["motion video", "gain map", "padding", "samsung", "mz", "short zip record", "no zip record", "xmp"],
)
def test_what_phones_append_is_no_polyglot(tail: bytes) -> None:
    assert inspect(JPEG + tail).end == len(JPEG)


def signatures_in_pixels(signature: bytes) -> bytes:
    return jpeg_header(8, 8) + b"\x00" * 1100 + signature + b"\x00" * 9 + b"\xff\xd9"


@pytest.mark.parametrize(
    "signature", [b"<?php ", b"<script>", b"PK\x03\x04", b"PK\x05\x06", b"MZ", b"\x7fELF", b"%PDF-"]
)
@pytest.mark.parametrize(
    "make",
    [
        signatures_in_pixels,
        lambda found: png(9, 9, rows=b"")[:-12] + png_chunk(b"IDAT", bytes(2000) + found) + PNG[-12:],
    ],
)
def test_signatures_that_pixels_have_by_accident_are_not_searched(
    make: Callable[[bytes], bytes], signature: bytes
) -> None:
    assert inspect(make(signature)).end > 0
