"""Effects of an artist's hand: a pencil sketch, and a screen print.

Both are found at a limited size, so that a preview and the full picture show the same strokes and areas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from imaging.contours import drawn, kept
from imaging.effects.tones import film_tones, ramp, stretch, tone_range, toned
from imaging.layer import Layer, continued, fitted, rounded, scaled
from imaging.photo import blend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imaging.photo import Gray, Rgb

__all__ = ["pop_art", "sketch"]

_SKETCH_SIDE: Final = 1600
_GRAPHITE: Final = (52, 50, 56)
_DRAWING_PAPER: Final = (253, 252, 248)
_STROKES: Final = 512  # px of the repeated texture
_QUICK_SIGMA: Final = 4.0  # px: a wider blur is made at a smaller size

_POP_SIDE: Final = 1024
_POP: Final = ((28, 22, 74), (0, 120, 190), (240, 50, 110), (255, 205, 50), (255, 248, 228))
"""Navy, blue, pink, yellow, cream: from the darkest area to the lightest."""
_POP_SHARES: Final = (0.2, 0.42, 0.62, 0.85)


def sketch(layer: Layer, side: float) -> Layer:
    """Graphite on white paper: lines where tones change, hatching in the shadows, a contour."""
    height, width = layer.alpha.shape
    small = scaled(layer, fitted(width, height, max(height, width) * min(1.0, _SKETCH_SIDE / side)))
    light = _drawn(small, side * max(small.alpha.shape) / max(height, width))
    full = cv2.resize(light, (width, height), interpolation=cv2.INTER_CUBIC)
    return layer._replace(rgb=toned(np.asarray(full, np.uint8), ramp((0, _GRAPHITE), (255, _DRAWING_PAPER))))


def pop_art(layer: Layer, side: float) -> Layer:
    """Five flat, loud colours by tone, and ink lines: a screen print of the sixties."""
    height, width = layer.alpha.shape
    small = scaled(layer, fitted(width, height, max(height, width) * min(1.0, _POP_SIDE / side)))
    areas, lines = _traced(small, side * max(small.alpha.shape) / max(height, width))
    covered = drawn(np.dstack(areas), (width, height))
    steps = np.asarray(cv2.transform(covered, np.full((1, len(areas)), 1 / len(areas), np.float32)), np.uint8)
    stops = [(round(255 * index / 4), color) for index, color in enumerate(_POP)]
    return layer._replace(rgb=_inked(toned(steps, ramp(*stops)), drawn(lines, (width, height))))


def _inked(flat: Rgb, lines: Gray) -> Rgb:
    """Ink over `flat`, of which the lines cover little: only there are colours mixed."""
    under = np.flatnonzero(lines)
    if not under.size:
        return flat
    pixels = flat.reshape(-1, 3)
    covered = pixels[under][:, None]
    ink = np.empty_like(covered)
    ink[:] = _POP[0]
    pixels[under] = blend(ink, covered, lines.ravel()[under][:, None])[:, 0]
    return flat


def _drawn(layer: Layer, side: float) -> Gray:
    """How light the drawing is, 0 to 255."""
    tones = film_tones(continued(layer))
    gain, offset = stretch(tones, layer.alpha, most=3.0)
    fine = np.clip(gain * _soft(tones, side / 1400) + offset, 0, 255)
    lines = cv2.pow(np.minimum((fine + 18) / (_soft(fine, side / 110) + 18), 1), 3)
    tone = _soft(fine, side / 500) / 255
    stroke = side / 1000
    shadow = np.clip((0.62 - tone) * 1.7, 0, 1) * np.clip(0.55 + 0.45 * _hatching(tone.shape, stroke, 45), 0, 1.2)
    depth = np.clip((0.32 - tone) * 2.2, 0, 1) * np.clip(0.5 + 0.5 * _hatching(tone.shape, stroke, -35), 0, 1.2)
    contour = 1 - np.abs(2 * _soft(layer.alpha, side / 420) / 255 - 1)
    light = lines * (1 - 0.5 * shadow) * (1 - 0.55 * depth) * (1 - 0.75 * contour)
    return rounded(255 * light)


def _soft(plane: NDArray[np.uint8] | NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Blurred, by half a pixel at least."""
    shrink = min(1.0, _QUICK_SIGMA / max(sigma, 0.5))
    size = plane.shape[1], plane.shape[0]
    small = cv2.resize(plane.astype(np.float32), fitted(*size, max(size) * shrink), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), max(sigma, 0.5) * shrink)
    return np.asarray(cv2.resize(soft, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _hatching(shape: tuple[int, ...], width: float, angle: float) -> NDArray[np.float32]:
    """Pencil strokes of about so many px in one direction (degrees): mean 0, standard deviation 1."""
    noise = np.random.default_rng(round(angle) + 90).standard_normal((_STROKES, _STROKES), np.float32)
    middle = slice(_STROKES // 2, _STROKES // 2 + _STROKES)  # whose edges go on at the opposite ones
    strokes = cv2.GaussianBlur(np.tile(noise, (2, 2)), (0, 0), sigmaX=14, sigmaY=1.1)[middle, middle]
    turn = np.deg2rad(angle)
    x, y = np.cos(turn) / width, np.sin(turn) / width
    turned = cv2.warpAffine(
        (strokes - strokes.mean()) / strokes.std(),
        np.array(((x, y, 0), (-y, x, 0))),
        (shape[1], shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_WRAP,
    )
    return np.asarray(turned, np.float32)


def _traced(layer: Layer, side: float) -> tuple[list[Gray], Gray]:
    """Four areas, each within the one before it, and the lines, as kept shapes."""
    tones = film_tones(continued(layer))
    smooth = _soft(np.asarray(cv2.bilateralFilter(tones, 9, 30, max(side / 300, 1)), np.uint8), side / 300)
    areas = [_shape(smooth - level) for level in _levels(rounded(smooth), layer.alpha)]
    strokes = _soft(tones, side / 345) - _soft(tones, side / 550)
    return areas, _shape(strokes - 4.5)


def _levels(tones: Gray, alpha: Gray) -> list[float]:
    """Between equal steps of tone and equal parts of the subject, so that every colour gets its area."""
    low, high = tone_range(tones, alpha, 0.01)
    return [(tone_range(tones, alpha, share)[0] + low + (high - low) * share) / 2 for share in _POP_SHARES]


def _shape(values: NDArray[np.float32]) -> Gray:
    """Where `values` are positive; their slope tells about how far it is to the edge."""
    slope = cv2.magnitude(
        cv2.Sobel(values, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(values, cv2.CV_32F, 0, 1, scale=1 / 8)
    )
    return kept(values / np.maximum(slope, 0.5))
