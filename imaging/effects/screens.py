"""Halftone: the subject as printed in four inks.

Each ink is a grid of dots, turned by its own angle, whose areas give the tone. The angles have rational tangents, so
that one small square of thresholds repeats over the whole picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from imaging.effects.tones import toned
from imaging.layer import Layer, continued, fitted, rounded, scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imaging.photo import Gray, Rgb

__all__ = ["halftone"]

_CELLS: Final = 120  # of dots along the subject's longer side
_LEAST_CELL: Final = 4.0  # px; smaller dots would be noise
_SAMPLES: Final = 3  # of tone along a cell

_INKS: Final = ((0, 160, 220), (228, 20, 125), (255, 228, 20), (28, 26, 30))
"""Cyan, magenta, yellow, black on white paper, a little impure as they are in print."""
_WAVES: Final = ((4, 1), (1, 4), (4, 0), (3, 3))
"""By ink: waves along x and y of the repeating square. 14, 76, 0 and 45 degrees."""
_WAVE_LENGTH: Final = 17**0.5  # cells along the square's side, but for yellow and black, whose cells differ by 3%

_LIGHTER: Final = rounded(255 * (np.arange(256) / 255) ** 0.72)
"""Dots darken a picture: their edges are seen as ink."""


def halftone(layer: Layer, side: float) -> Layer:
    """Coloured dots on white paper in the subject's shape."""
    height, width = layer.alpha.shape
    cell = max(_LEAST_CELL, side / _CELLS)
    small = scaled(layer, fitted(width, height, _SAMPLES * max(height, width) / cell))
    printed = np.full((height, width, 3), 255, np.uint8)
    for ink, waves, amount in zip(_INKS, _WAVES, _separated(continued(small)), strict=True):
        tone = np.asarray(cv2.resize(amount, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        _print(printed, ink, tone, _thresholds(round(cell * _WAVE_LENGTH), waves), sharpness=cell / 2)
    return layer._replace(rgb=printed)


def _separated(rgb: Rgb) -> tuple[Gray, ...]:
    """How much of each ink, 0 to 255. Black takes the place of the others where all are strong."""
    missing = 255 - cv2.LUT(rgb, _LIGHTER).astype(np.float32)
    common = missing.min(axis=2, keepdims=True)
    black = 255 * np.clip((common / 255 - 0.35) / 0.65, 0, 1) ** 1.4
    colored = np.clip((missing - 0.6 * common) / (255 - 0.6 * common) * 1.15, 0, 1) * 255
    amounts = rounded(np.concatenate((colored, black), axis=2))
    return tuple(np.asarray(plane, np.uint8) for plane in cv2.split(amounts))


def _thresholds(side: int, waves: tuple[int, int]) -> NDArray[np.int16]:
    """A square of which a share of p / 255 lies below p, growing as dots from the crests of two crossed waves."""
    phase = 2 * np.pi * np.arange(side) / side
    along, across = waves
    x, y = phase[None, :], phase[:, None]
    crests = np.cos(along * x + across * y) + np.cos(across * x - along * y)
    ranks = np.empty(side * side)
    ranks[np.argsort(-crests, axis=None, kind="stable")] = np.arange(side * side)
    return rounded(255 * (ranks + 0.5) / ranks.size).astype(np.int16).reshape(side, side)


def _print(
    paper: Rgb, ink: tuple[int, int, int], tone: Gray, thresholds: NDArray[np.int16], *, sharpness: float
) -> None:
    """Put one ink on `paper`. `sharpness`: how steeply a dot's edge rises, for edges about a pixel wide."""
    height, width = tone.shape
    side = thresholds.shape[0]
    row = np.tile(thresholds, (1, -(-width // side)))[:, :width]
    shades = _shades(ink)
    # An edge is half a rise wide, which no tone and every tone must be beyond.
    beyond = 128 / sharpness
    levels = np.interp(np.arange(256), (0, 16, 239, 255), (-beyond, 16, 239, 255 + beyond)).astype(np.int16)
    for top in range(0, height, side):
        rows = slice(top, min(top + side, height))
        amount = cv2.LUT(tone[rows], levels)
        dots = cv2.addWeighted(amount, sharpness, row[: rows.stop - top], -sharpness, 127.5, dtype=cv2.CV_8U)
        cv2.multiply(paper[rows], toned(np.asarray(dots, np.uint8), shades), dst=paper[rows], scale=1 / 255)


def _shades(ink: tuple[int, int, int]) -> NDArray[np.uint8]:
    """(256, 3): what each coverage lets through."""
    share = np.arange(256)[:, None] / 255
    return rounded(255 - share * (255 - np.array(ink)))
