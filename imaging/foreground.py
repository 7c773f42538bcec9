"""The subject's own colours at its edge, so that no halo of the old background comes along.

An edge pixel is a mixture of subject and background. `estimate_colors` separates the two; beyond a megapixel it does
so on a sample of the pixels, since mattes are made at about that size and colours change slowly, and each full-size
pixel then corrects the enlarged estimate by what the composite misses.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from imaging.multilevel import estimate_colors
from imaging.photo import blend

if TYPE_CHECKING:
    from imaging.photo import Gray, Rgb

__all__ = ["estimate_foreground"]

_SOLVED_PIXELS: Final = 1_000_000
_MARGIN: Final = 32  # px of known foreground and background around the edge
_ROWS: Final = 64  # rows a step of the correction, to stay in the processor's cache

_OPACITY: Final = np.arange(256, dtype=np.float32) / 255
_GAIN: Final = _OPACITY / (_OPACITY**2 + (1 - _OPACITY) ** 2)
"""By alpha: the share of a composite's error that is the foreground's, the least change that explains it."""


def estimate_foreground(rgb: Rgb, alpha: Gray) -> Rgb:
    """Foreground colours (height, width, 3): the photo's own where `alpha` is 255, 0 where it is 0.

    In a large photo only the bounding box of the soft edge is worked on; 12 megapixels take some 0.3 s. The mean
    difference to pymatting's `estimate_foreground_ml`, weighted by alpha over the soft edge, is below 1.3 of 255.
    """
    foreground = np.asarray(cv2.copyTo(rgb, alpha), np.uint8)
    rows, columns = _soft_edge(alpha)
    if alpha[rows, columns].size:
        _write_foreground(rgb[rows, columns], alpha[rows, columns], foreground[rows, columns])
    return foreground


def _soft_edge(alpha: Gray) -> tuple[slice, slice]:
    """Rows and columns with all partial alpha and a margin; the whole of a small photo, where cropping saves little
    and changes which pixels the coarse levels sample.
    """
    left, top, width, height = cv2.boundingRect(cv2.inRange(alpha, 1, 254))
    if width == 0:
        return slice(0), slice(0)
    if alpha.size <= _SOLVED_PIXELS:
        return slice(None), slice(None)
    return (
        slice(max(top - _MARGIN, 0), top + height + _MARGIN),
        slice(max(left - _MARGIN, 0), left + width + _MARGIN),
    )


def _write_foreground(rgb: Rgb, alpha: Gray, out: Rgb) -> None:
    """Write the colours of pixels with alpha from 1 to 254 to `out`, which has the others already."""
    step = math.ceil(math.sqrt(alpha.size / _SOLVED_PIXELS))
    if step == 1:
        soft = cv2.inRange(alpha, 1, 254)
        colors, _ = estimate_colors(np.ascontiguousarray(rgb), np.ascontiguousarray(alpha), np.asarray(soft, np.uint8))
        cv2.copyTo(colors, soft, out)
        return
    first = min(step // 2, min(alpha.shape) - 1)
    size = alpha.shape[1], alpha.shape[0]
    sample = np.ascontiguousarray(rgb[first::step, first::step]), np.ascontiguousarray(alpha[first::step, first::step])
    # A soft pixel between two samples is interpolated from both, and so are its neighbours at the edge of the photo.
    soft = cv2.dilate(cv2.inRange(alpha, 1, 254), np.ones((2 * step + 1, 2 * step + 1), np.uint8))
    wanted = np.ascontiguousarray(soft[first::step, first::step], np.uint8)
    foreground, background = (
        np.asarray(cv2.resize(colors, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        for colors in estimate_colors(*sample, wanted)
    )
    for start in range(0, alpha.shape[0], _ROWS):
        rows = slice(start, start + _ROWS)
        out[rows] = _corrected(rgb[rows], alpha[rows], foreground[rows], background[rows])


def _corrected(rgb: Rgb, alpha: Gray, foreground: Rgb, background: Rgb) -> Rgb:
    """The foreground, changed by its share of what the composite of the two misses; 0 where `alpha` is 0."""
    error = cv2.subtract(rgb, blend(foreground, background, alpha), dtype=cv2.CV_32F)
    gain = cv2.LUT(alpha, _GAIN)
    change = cv2.multiply(error, cv2.merge((gain, gain, gain)), dst=error)
    corrected = cv2.add(foreground, change, dtype=cv2.CV_8U)
    return np.asarray(cv2.copyTo(corrected, alpha), np.uint8)
