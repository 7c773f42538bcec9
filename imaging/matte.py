"""The matte: alpha of every pixel, 8 bits, at the photo's size. How it is kept, and what can be told from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from events.errors import CorruptImageError
from imaging.encode import encode_gray
from imaging.inspection import inspect
from imaging.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imaging.photo import Gray

__all__ = ["MATTE_LIMITS", "confidence", "decode_matte", "encode_matte", "has_foreground"]

MATTE_LIMITS: Final = replace(DEFAULT_LIMITS, max_bytes=64 * 2**20)
"""Of any photo that is accepted: noise can't be compressed, so 50 megapixels of it take some 50 MB."""

_MIN_SUBJECT: Final = 0.001  # of the frame: 32 x 32 px in a megapixel
_OPAQUE_ENOUGH: Final = 128

_LEVELS: Final = np.arange(256) / 255
_DECIDED: Final = np.abs(2 * _LEVELS - 1)


def encode_matte(matte: Gray) -> bytes:
    """8-bit grey PNG."""
    return encode_gray(matte)


def decode_matte(data: bytes, limits: Limits = MATTE_LIMITS) -> Gray:
    """What `encode_matte` was given. Raises `CorruptImageError` for anything else, and what `inspect` raises."""
    info = inspect(data, limits)
    if info.format != "png":
        raise CorruptImageError(f"matte: {info.format}, not png")
    matte = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if matte is None or matte.shape != (info.height, info.width) or matte.dtype != np.uint8:
        raise CorruptImageError("matte: not an 8-bit grey PNG")
    return np.asarray(matte, np.uint8)


def has_foreground(matte: Gray) -> bool:
    """Whether at least a thousandth of the frame is more opaque than not.

    A network that stretches its output to the full range always finds something opaque; a subject that is that small
    or that faint is not one a shopper would want.
    """
    return bool(_histogram(matte)[_OPAQUE_ENOUGH:].sum() >= _MIN_SUBJECT * matte.size)


def confidence(matte: Gray) -> float:
    """How decided the matte is over its subject, 0 to 1: the mean of |2 alpha - 1|, each pixel weighing its alpha.

    1 is a hard-edged matte, 0 one that is half transparent everywhere, or empty. It can't tell a wrong subject cut out
    cleanly from the right one, and counts honest translucency (hair, glass, smoke) as doubt.
    """
    weights = _histogram(matte) * _LEVELS
    total = float(weights.sum())
    return float((weights * _DECIDED).sum()) / total if total else 0.0


def _histogram(matte: Gray) -> NDArray[np.float64]:
    return np.asarray(cv2.calcHist([matte], [0], None, [256], [0, 256]), np.float64).ravel()
