"""What may be done to the subject's colours. Each effect maps (height, width, 3) sRGB to the same shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.recipe import Effect
    from imaging.photo import Rgb

__all__ = ["EFFECTS"]

_LUMA: Final = np.array([[0.2126, 0.7152, 0.0722]], np.float32)


def _unchanged(rgb: Rgb) -> Rgb:
    return rgb


def _black_white(rgb: Rgb) -> Rgb:
    """BT.709 luma of the gamma-encoded values, as television shows colour in black and white (ITU-R BT.709-6, 3.2)."""
    luma = cv2.transform(rgb, _LUMA)
    return np.asarray(cv2.merge((luma, luma, luma)), np.uint8)


EFFECTS: Final[dict[Effect, Callable[[Rgb], Rgb]]] = {"none": _unchanged, "black_white": _black_white}
