"""Effects of large pixels: a one-bit screen, and a game of the eighties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from PIL import Image

from imaging.effects.tones import film_tones, stretch
from imaging.layer import Layer, continued, fitted, rounded, scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imaging.photo import Gray, Rgb

__all__ = ["dither", "eight_bit"]

_DITHER_CELLS: Final = 220  # pixels along the subject's longer side
_EIGHT_BIT_CELLS: Final = 88
_LEAST_CELL: Final = 2.0

_INK: Final = (24, 24, 36)
_PAPER: Final = (245, 243, 232)
_COLORS: Final = 16
_SATURATION: Final = 1.35
_BAYER: Final = np.array(((0, 8, 2, 10), (12, 4, 14, 6), (3, 11, 1, 9), (15, 7, 13, 5))) / 16 - 15 / 32
_TEXTURE: Final = 18  # levels between the ends of the ordered pattern

_ATKINSON: Final = ((0, 1), (0, 2), (1, -1), (1, 0), (1, 1), (2, 0))
"""Down and right of a pixel: who gets an eighth of its error each; two eighths are dropped, which adds contrast."""
_REACH: Final = 2


def dither(layer: Layer, side: float) -> Layer:
    """Ink and paper alone, as on the first Macintosh."""
    grid = _grid(layer, side, _DITHER_CELLS)
    tones = film_tones(continued(grid))
    gain, offset = stretch(tones, grid.alpha, most=3.0)
    spread = (gain * tones.astype(np.float32) + offset) / 255
    crisp = spread + 0.6 * (spread - cv2.GaussianBlur(spread, (0, 0), 1.0))
    light = _diffused(crisp, grid.alpha >= 128)
    return _enlarged(np.where(light[..., None], _PAPER, _INK).astype(np.uint8), grid.alpha, layer)


def eight_bit(layer: Layer, side: float) -> Layer:
    """Sixteen of the subject's own colours, made stronger, with an ordered pattern between them."""
    grid = _grid(layer, side, _EIGHT_BIT_CELLS)
    inside = grid.alpha >= 128
    if not inside.any():
        return Layer(np.zeros_like(layer.rgb), np.zeros_like(layer.alpha))
    strong = _strengthened(grid)
    height, width = inside.shape
    pattern = np.tile(_BAYER, (-(-height // 4), -(-width // 4)))[:height, :width, None] * _TEXTURE
    own = Image.fromarray(rounded(strong)[inside][None])
    palette = own.quantize(_COLORS, method=Image.Quantize.MEDIANCUT, kmeans=4, dither=Image.Dither.NONE)
    patterned = Image.fromarray(rounded(strong + pattern))
    few = patterned.quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB")
    return _enlarged(np.asarray(few), grid.alpha, layer)


def _grid(layer: Layer, side: float, cells: int) -> Layer:
    """One pixel for each of the large ones."""
    height, width = layer.alpha.shape
    return scaled(layer, fitted(width, height, max(height, width) / max(side / cells, _LEAST_CELL)))


def _enlarged(rgb: Rgb, alpha: Gray, layer: Layer) -> Layer:
    """The grid at the layer's size; a large pixel is there or not."""
    size = layer.alpha.shape[1], layer.alpha.shape[0]
    planes = rgb, cv2.inRange(alpha, 128, 255)
    large = (cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST_EXACT) for plane in planes)
    return Layer(*(np.asarray(plane, np.uint8) for plane in large))


def _strengthened(grid: Layer) -> NDArray[np.float32]:
    """Colours with more contrast: between neighbours, between channels, and from dark to light."""
    colors = continued(grid)
    gain, offset = stretch(film_tones(colors), grid.alpha, most=1.5)
    values = colors.astype(np.float32)
    values += 0.8 * (values - cv2.GaussianBlur(values, (0, 0), 1.5))
    gray = values.mean(axis=2, keepdims=True)
    values = gray + _SATURATION * (values - gray)
    return np.asarray(gain * values + offset, np.float32)


def _diffused(tones: NDArray[np.floating], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which pixels are light, by Atkinson's error diffusion. `tones` are 0 to 1; no error leaves the inside.

    Pixels with the same x + 2 y depend only on those with a smaller one, so they are done at once.
    """
    height, width = tones.shape
    owed = np.pad(tones, _REACH)
    light = np.zeros((height, width), np.bool_)
    for wave in range(width + 2 * (height - 1)):
        y = np.arange(max(0, (wave - width + 2) // 2), min(height - 1, wave // 2) + 1)
        x = wave - 2 * y
        values = owed[y + _REACH, x + _REACH]
        light[y, x] = values >= 0.5
        error = np.where(inside[y, x], (values - light[y, x]) / 8, 0)
        for down, right in _ATKINSON:
            owed[y + _REACH + down, x + _REACH + right] += error
    return light
