"""Image files made for tests: whole ones by the codecs, broken and hostile ones byte by byte."""

from __future__ import annotations

import struct
import zipfile
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pillow_heif
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

RED, GREEN, BLUE, WHITE = (200, 40, 60), (10, 180, 90), (30, 60, 210), (240, 240, 240)
WIDTH, HEIGHT = 128, 96


def quadrants(width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Red, green, blue and white from top left to bottom right: every turn and mirroring of it differs."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = RED
    pixels[: height // 2, width // 2 :] = GREEN
    pixels[height // 2 :, : width // 2] = BLUE
    pixels[height // 2 :, width // 2 :] = WHITE
    return pixels


def photo(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    return Image.fromarray(quadrants(width, height))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def heic(image: Image.Image, exif: bytes | None = None) -> bytes:
    """A HEIC whose Exif orientation, if any, is also in its `irot` and `imir` boxes, as cameras write it."""
    file = BytesIO()
    still = pillow_heif.from_bytes(image.mode, image.size, image.tobytes())
    if exif is not None:
        still.info["exif"] = exif
    still.save(file, quality=95)
    return file.getvalue()


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x0110] = "Sample Phone"
    block.get_ifd(0x8825)[2] = (48.0, 12.0, 30.0)
    return block.tobytes()


WHOLE_FILES: Final[dict[str, Callable[[Image.Image], bytes]]] = {
    "jpeg": lambda image: saved(image, "JPEG", quality=95, subsampling=0),
    "jpeg progressive": lambda image: saved(image, "JPEG", quality=95, subsampling=0, progressive=True),
    "png": lambda image: saved(image, "PNG"),
    "webp lossy": lambda image: saved(image, "WEBP", quality=95),
    "webp lossless": lambda image: saved(image, "WEBP", lossless=True),
    "webp extended": lambda image: saved(image, "WEBP", quality=95, exif=exif(1)),
    "heic": heic,
    "avif": lambda image: saved(image, "AVIF", quality=95, subsampling="4:4:4"),
    "tiff": lambda image: saved(image, "TIFF"),
    "tiff lzw": lambda image: saved(image, "TIFF", compression="tiff_lzw"),
    "bmp": lambda image: saved(image, "BMP"),
    "gif": lambda image: saved(image.quantize(8), "GIF"),
}
"""By a name whose first word is the format: how to make such a file of an RGB image."""


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, depth: int = 8, color: int = 2, rows: bytes = b"", extra: bytes = b"") -> bytes:
    """A PNG with this header and these filtered rows, whether or not they agree."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    data = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + extra + data + png_chunk(b"IEND", b"")


def png16(samples: NDArray[np.uint16], color: int, extra: bytes = b"") -> bytes:
    """A 16-bit PNG of (height, width, channels) samples; `color` is PNG's colour type."""
    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in samples)
    return png(samples.shape[1], samples.shape[0], depth=16, color=color, rows=rows, extra=extra)


def jpeg_header(width: int, height: int) -> bytes:
    """Start of image, a baseline frame header and a scan header; entropy-coded data is to follow."""
    frame = struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    scan = struct.pack(">HB", 8, 1) + b"\x01\x00\x00\x3f\x00"
    return b"\xff\xd8\xff\xc0" + frame + b"\xff\xda" + scan


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def heif_structure(width: int, height: int, *, brand: bytes = b"heic", size_box: int = 12) -> bytes:
    """The boxes of a still image without its pixels. `size_box`: bytes in the box that holds its size."""
    size = box(b"ispe", bytes(4), struct.pack(">II", width, height), bytes(size_box - 12))
    meta = box(b"meta", bytes(4), box(b"iprp", box(b"ipco", size)))
    return box(b"ftyp", brand, bytes(4), b"mif1", brand) + meta + box(b"mdat", b"pixels")


def tiff(entries: list[tuple[int, int, int, int]], *, order: str = "<", extra: bytes = b"") -> bytes:
    """A TIFF with one directory of (tag, type, count, value) at byte 8 and `extra` after it."""
    mark = b"II" if order == "<" else b"MM"
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        short = kind == 3 and count == 1
        directory += struct.pack(f"{order}HHI" + ("HH" if short else "I"), tag, kind, count, value, *([0] * short))
    return mark + struct.pack(f"{order}HI", 42, 8) + directory + bytes(4) + extra


def zip_archive(comment: bytes = b"") -> bytes:
    """A ZIP with one file `a`, stored."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", b"hi")
        archive.comment = comment
    return file.getvalue()


def rgb_profile(primaries: list[tuple[float, float, float]], gamma: float) -> bytes:
    """An ICC display profile with these red, green and blue colorants (XYZ, D50) and one gamma."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    tags |= {name: _xyz(*color) for name, color in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def gray_profile(gamma: float) -> bytes:
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": curve})


def cmyk_profile(lab_of_ink: tuple[int, int, int]) -> bytes:
    """A printer profile in which any full ink gives one Lab colour (8-bit encoded) and bare paper gives white."""
    ramp = bytes(range(256))
    clut = b"".join(bytes((255, 128, 128)) if ink == 0 else bytes(lab_of_ink) for ink in range(16))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + ramp * 4 + clut + ramp * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table})


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in (x, y, z)))


def _profile(device: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {
        b"wtpt": _xyz(0.9642, 1.0, 0.8249),
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\x00" + bytes(79),
        **tags,
    }
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", start + len(body), len(data))
        body += padded
    header = struct.pack(
        ">I4sI4s4s4s12s4s", start + len(body), bytes(4), 0x02400000, device, space, connection, bytes(12), b"acsp"
    )
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return header + table + body
