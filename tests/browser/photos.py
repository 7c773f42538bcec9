"""Photos that no other test uploads."""

from __future__ import annotations

import zlib
from io import BytesIO

import numpy as np
import pillow_heif
from PIL import Image

__all__ = ["encoded", "heic", "jpeg", "noise", "phone_jpeg"]


def noise(name: str, width: int = 128, height: int = 96) -> Image.Image:
    """The same for the same name."""
    pixels = np.random.default_rng(zlib.crc32(name.encode())).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def jpeg(name: str, width: int = 128, height: int = 96) -> bytes:
    return _encoded(noise(name, width, height), "jpeg")


def phone_jpeg(name: str, width: int, height: int) -> bytes:
    """Stored on its side, as phones do: upright it is `height` by `width`. Its upright left half is the darker one."""
    tile = noise(name, 64, 64).resize((width, height // 2))
    picture = Image.new("RGB", (width, height))
    picture.paste(tile.point(lambda value: value // 4), (0, height // 2))
    picture.paste(tile.point(lambda value: 255 - value // 4), (0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    return _encoded(picture, "jpeg", exif=exif, quality=80)


def encoded(kind: str) -> bytes:
    """In a format that Pillow writes."""
    return _encoded(noise(kind), kind)


def heic(name: str) -> bytes:
    written = BytesIO()
    pillow_heif.from_pillow(noise(name)).save(written)
    return written.getvalue()


def _encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    written = BytesIO()
    picture.save(written, kind, **options)
    return written.getvalue()
