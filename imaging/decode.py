"""Guarded decode: bytes of a stranger to upright sRGB pixels.

Every byte is inspected first, only the image's own bytes reach a codec, and the codec is the one of the format that
was found. Pillow's plugins are called by name: `Image.open` would try others, follow multi-picture directories past
the image's end, and guard against bombs by a process-wide setting.
"""

from __future__ import annotations

from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from events.errors import CorruptImageError, CutoutError
from imaging.color import conversion, to_srgb
from imaging.formats import isobmff, jpeg, png
from imaging.formats.tiff import exif_orientation
from imaging.inspection import inspect
from imaging.limits import DEFAULT_LIMITS, Limits
from imaging.photo import Photo
from imaging.samples import to_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from PIL import Image

    from imaging.inspection import Format
    from imaging.photo import Rgb

__all__ = ["decode", "decode_reduced"]

_PLUGINS: Final[dict[Format, Callable[[BytesIO], Image.Image]]] = {
    "jpeg": JpegImageFile,
    "png": PngImageFile,
    "webp": WebPImageFile,
    "tiff": TiffImageFile,
    "bmp": BmpImageFile,
    "gif": GifImageFile,
}
_UPRIGHT_ALREADY: Final = frozenset({"tiff", "heic"})  # their codecs turn the pixels themselves

_REDUCED: Final = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    1: 0,
}
"""By divisor of both sides: OpenCV's flag, which colour flags go well with."""

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
    with _refusing(info.format):
        return _decode(data[: info.end], info.format, limits)


def decode_reduced(data: bytes, least: int, limits: Limits = DEFAULT_LIMITS) -> Photo | None:
    """What `decode` gives at a half, a quarter or an eighth of both sides, the smallest with sides of at least `least`.

    None where there is no such size, or no quick way to it: only a JPEG's codec can leave out the coefficients that
    are not needed (ITU-T T.81), and only of colours that need no conversion. Raises what `decode` raises.
    """
    info = inspect(data, limits)
    divisor = next(each for each in _REDUCED if each == 1 or min(info.width, info.height) >= least * each)
    if info.format != "jpeg" or divisor == 1:
        return None
    with _refusing(info.format):
        exif, data = jpeg.detach_exif(data[: info.end])
        if not _is_plain(_open(data, info.format)):
            return None
        return Photo(_upright(_plain_jpeg(data, divisor), exif_orientation(exif)))


@contextmanager
def _refusing(image_format: Format) -> Iterator[None]:
    """Codecs raise anything at all on broken data: that is `CorruptImageError`."""
    try:
        yield
    except (CutoutError, MemoryError):
        raise
    except Exception as error:
        raise CorruptImageError(f"{image_format}: {error}") from error


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
    if _is_plain(image):
        return Photo(_plain_jpeg(data))
    samples = to_samples(image)
    alpha = None if samples.alpha is None else np.asarray(samples.alpha)
    color = to_srgb(samples.color, image.info.get("icc_profile"))
    return Photo(np.asarray(color), None if alpha is None or alpha.min() == 255 else alpha)


def _open(data: bytes, image_format: Format) -> Image.Image:
    """The opened image, its pixels not read yet where the codec allows that."""
    if image_format == "heic":
        import pillow_heif  # noqa: PLC0415  # libraries of 22 MB, which most photos never need

        return pillow_heif.open_heif(data).to_pillow()
    if image_format == "png":
        data = png.essential(data)
    elif image_format == "avif":
        from PIL.AvifImagePlugin import AvifImageFile  # noqa: PLC0415  # likewise, of 5 MB

        return AvifImageFile(BytesIO(isobmff.as_still(data)))
    return _PLUGINS[image_format](BytesIO(data))


def _is_plain(image: Image.Image) -> bool:
    """Whether it is a JPEG whose samples are sRGB already."""
    plain = image.format == "JPEG" and image.mode == "RGB"
    return plain and conversion("RGB", image.info.get("icc_profile")) is None


def _plain_jpeg(data: bytes, divisor: int = 1) -> Rgb:
    """The same pixels as Pillow's, in half the time; averages of them for a `divisor` of 2, 4 or 8."""
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION | _REDUCED[divisor]
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise CorruptImageError("jpeg: the pixel data can't be decoded")
    return np.asarray(pixels, np.uint8)


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    transposed, flip = _TURNS.get(orientation, (False, None))
    if transposed:
        pixels = np.asarray(cv2.transpose(pixels), np.uint8)
    return pixels if flip is None else np.asarray(cv2.flip(pixels, flip), np.uint8)
