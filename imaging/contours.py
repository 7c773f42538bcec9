"""Shapes as distances to their edges, found at a small size and drawn at any: enlarged, they keep a sharp edge.

As fonts do in games: C. Green, "Improved Alpha-Tested Magnification for Vector Textures and Special Effects" (SIGGRAPH
2007 courses).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from imaging.layer import rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imaging.photo import Gray

__all__ = ["drawn", "kept"]

_EDGE: Final = 128
_FALL: Final = 32.0  # levels a pixel: distances up to four pixels are told apart


def kept(inwards: NDArray[np.floating]) -> Gray:
    """A shape from the distance (px) of each pixel to its edge, positive inside."""
    return rounded(_EDGE + _FALL * inwards)


def drawn(shape: Gray, size: tuple[int, int]) -> Gray:
    """How much of each pixel a kept shape covers, 0 to 255, at `size` (width, height); its edge is a pixel wide.

    Up to four shapes are drawn at once as the channels of an image.
    """
    enlarged = cv2.resize(shape, size, interpolation=cv2.INTER_CUBIC)
    gain = 255 / _FALL * max(size) / max(shape.shape[:2])
    # A table and no cv2.subtract, which takes a number beside an image of 1 x 4 pixels for a second image.
    levels = rounded(gain * (np.arange(256) - _EDGE) + 127.5)
    return np.asarray(cv2.LUT(enlarged, levels), np.uint8)
