"""Guarded decode: bytes of a stranger to upright sRGB pixels.

Every byte is inspected first, only the image's own bytes reach a codec, and the codec is the one of the format that
was found. Pillow's plugins are called by name: `Image.open` would try others, follow multi-picture directories past
the image's end, and guard against bombs by a process-wide setting.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import pillow_heif
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from events.errors import CorruptImageError, CutoutError
from imaging.color import conversion, to_srgb
from imaging.formats import jpeg, png
from imaging.formats.tiff import exif_orientation
from imaging.inspection import inspect
from imaging.limits import DEFAULT_LIMITS, Limits
from imaging.photo import Photo
from imaging.samples import to_samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL import Image

    from imaging.inspection import Format
    from imaging.photo import Rgb

__all__ = ["decode"]

_PLUGINS: Final[dict[Format, Callable[[BytesIO], Image.Image]]] = {
    "jpeg": JpegImageFile,
    "png": PngImageFile,
    "webp": WebPImageFile,
    "avif": AvifImageFile,
    "tiff": TiffImageFile,
    "bmp": BmpImageFile,
    "gif": GifImageFile,
}
_UPRIGHT_ALREADY: Final = frozenset({"tiff", "heic"})  # their codecs turn the pixels themselves

_TURNS: Final = {
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}
"""By Exif orientation: whether to transpose the stored pixels, then OpenCV's flip code (1 mirrors left to right)."""


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Photo:
    """The first frame of `data`, upright, in sRGB, 8 bits, without metadata.

    Raises what `inspect` raises; `CorruptImageError` also for pixel data that its codec refuses, and
    `UnsupportedFormatError` also for samples of 32 bits.
    """
    info = inspect(data, limits)
    try:
        return _decode(data[: info.end], info.format, limits)
    except (CutoutError, MemoryError):
        raise
    except Exception as error:  # codecs raise anything at all on broken data
        raise CorruptImageError(f"{info.format}: {error}") from error


def _decode(data: bytes, image_format: Format, limits: Limits) -> Photo:
    exif, data = jpeg.detach_exif(data) if image_format == "jpeg" else (b"", data)
    image = _open(data, image_format)
    limits.check_size(*image.size)
    turned = image_format in _UPRIGHT_ALREADY
    orientation = 1 if turned else exif_orientation(exif or image.info.get("exif", b""))
    stored = _stored_pixels(image, data)
    alpha = None if stored.alpha is None else _upright(stored.alpha, orientation)
    return Photo(_upright(stored.rgb, orientation), alpha)


def _stored_pixels(image: Image.Image, data: bytes) -> Photo:
    """The opened image's pixels in sRGB, not turned; an alpha that hides nothing is dropped."""
    icc = image.info.get("icc_profile")
    if image.format == "JPEG" and image.mode == "RGB" and conversion("RGB", icc) is None:
        return Photo(_plain_jpeg(data))
    samples = to_samples(image)
    alpha = None if samples.alpha is None else np.asarray(samples.alpha)
    return Photo(np.asarray(to_srgb(samples.color, icc)), None if alpha is None or alpha.min() == 255 else alpha)


def _open(data: bytes, image_format: Format) -> Image.Image:
    """The opened image, its pixels not read yet where the codec allows that."""
    if image_format == "heic":
        return pillow_heif.open_heif(data).to_pillow()
    return _PLUGINS[image_format](BytesIO(png.essential(data) if image_format == "png" else data))


def _plain_jpeg(data: bytes) -> Rgb:
    """The same pixels as Pillow's, in half the time."""
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise CorruptImageError("jpeg: the pixel data can't be decoded")
    return np.asarray(pixels, np.uint8)


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    transposed, flip = _TURNS.get(orientation, (False, None))
    if transposed:
        pixels = np.asarray(cv2.transpose(pixels), np.uint8)
    return pixels if flip is None else np.asarray(cv2.flip(pixels, flip), np.uint8)
