"""Any colour space and profile to sRGB, with Little CMS."""

from __future__ import annotations

from io import BytesIO
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageCms

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsProfile, ImageCmsTransform

__all__ = ["conversion", "to_srgb"]

_COLOR_SPACES: Final = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}
_INTENTS: Final = (ImageCms.Intent.PERCEPTUAL, ImageCms.Intent.RELATIVE_COLORIMETRIC)
_INVISIBLE: Final = 2  # of 255: what two encodings of sRGB's own curve differ by


def to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """An `L`, `RGB`, `CMYK` or `LAB` image as `RGB` in sRGB.

    A profile that is broken, or made for another colour space than the image's, is ignored. Without one, grey and RGB
    are taken as sRGB, and CMYK as ideal inks, (1 - c)(1 - k), as browsers do.
    """
    transform = conversion(image.mode, icc)
    if transform is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    converted = ImageCms.applyTransform(image, transform)
    if converted is None:
        raise ValueError("Little CMS returned no image")
    return converted


def conversion(mode: str, icc: bytes | None) -> ImageCmsTransform | None:
    """The transform from an image of `mode` to sRGB, or None where the pixels can stay as they are."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")) if mode == "LAB" else _profile(mode, icc)
    if profile is None:
        return None
    transform = _transform(profile, mode)
    return None if transform is None or (mode == "RGB" and _changes_nothing(transform)) else transform


def _profile(mode: str, icc: bytes | None) -> ImageCmsProfile | None:
    if not icc:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc))
    except OSError:
        return None
    return profile if profile.profile.xcolor_space.strip() == _COLOR_SPACES[mode] else None


def _transform(profile: ImageCmsProfile, mode: str) -> ImageCmsTransform | None:
    """Perceptual where the profile has it, else relative colorimetric, with black point compensation."""
    srgb = ImageCms.createProfile("sRGB")
    for intent in _INTENTS:
        try:
            return ImageCms.buildTransform(profile, srgb, mode, "RGB", intent, ImageCms.Flags.BLACKPOINTCOMPENSATION)
        except ImageCms.PyCMSError:
            continue
    return None


def _changes_nothing(transform: ImageCmsTransform) -> bool:
    """Whether the profile is sRGB under some name: tried on 729 colours, since a name proves nothing."""
    levels = range(0, 256, 31)
    colors = np.array([list(product(levels, repeat=3))], np.uint8)
    converted = ImageCms.applyTransform(Image.fromarray(colors), transform)
    difference = np.abs(np.asarray(converted).astype(np.int16) - colors)
    return bool(difference.max() <= _INVISIBLE)
