"""Stored samples of any layout as 8-bit colour and alpha."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from PIL import Image

from events.errors import UnsupportedFormatError

__all__ = ["Samples", "to_samples"]

_OPAQUE: Final = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "RGBX": "RGB", "YCbCr": "RGB"}
_WITH_ALPHA: Final = {"LA": "LA", "La": "LA", "PA": "RGBA", "RGBA": "RGBA", "RGBa": "RGBA"}
_AS_STORED: Final = frozenset({"CMYK", "LAB"})
_TRANSPARENCY: Final = "transparency"  # Pillow's name for a colour or palette entry that is see-through


class Samples(NamedTuple):
    """`color` has mode `L`, `RGB`, `CMYK` or `LAB`; `alpha` has mode `L`."""

    color: Image.Image
    alpha: Image.Image | None


def to_samples(image: Image.Image) -> Samples:
    """Split an opened image into colour and alpha of 8 bits, reading its pixels.

    Raises `UnsupportedFormatError` for 32-bit samples, whose range nothing in the file tells.
    """
    mode = image.mode
    if mode in _AS_STORED:
        image.load()
        return Samples(image, None)
    if mode.startswith("I;16"):
        return _from_16_bit(image)
    if mode in _OPAQUE and _TRANSPARENCY not in image.info:
        return Samples(_converted(image, _OPAQUE[mode]), None)
    if mode in _OPAQUE or mode in _WITH_ALPHA:
        *color, alpha = _converted(image, _WITH_ALPHA.get(mode, "RGBA")).split()
        return Samples(Image.merge("RGB", color) if len(color) > 1 else color[0], alpha)
    raise UnsupportedFormatError(f"samples of mode {mode} are not read")


def _converted(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == mode:
        image.load()
        return image
    return image.convert(mode)


def _from_16_bit(image: Image.Image) -> Samples:
    """Scaled and rounded; Pillow's own conversion to 8 bits clips instead."""
    values = np.asarray(image).astype(np.uint32)
    gray = Image.fromarray(((values * 255 + 32_767) // 65_535).astype(np.uint8))
    if _TRANSPARENCY not in image.info:
        return Samples(gray, None)
    return Samples(gray, Image.fromarray(np.where(values == image.info[_TRANSPARENCY], 0, 255).astype(np.uint8)))
