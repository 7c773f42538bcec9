"""Foreground and background colours by multi-level relaxation.

Minimises, over F and B, the compositing error of alpha F + (1 - alpha) B against the photo plus the difference of
neighbours' colours, weighted by how much alpha changes between them: T. Germer, T. Uelwer, S. Conrad, S. Harmeling,
"Fast Multi-Level Foreground Estimation" (ICPR 2020), https://arxiv.org/abs/2006.14970. Each pixel's two by two system
is the rank-one compositing term plus a multiple of the identity, so it has the closed form used in `_Level`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np

if TYPE_CHECKING:
    from cv2.typing import MatLike
    from numpy.typing import NDArray

    from imaging.photo import Gray, Rgb

    Planes: TypeAlias = NDArray[np.float32]

__all__ = ["estimate_colors"]

_REGULARIZATION: Final = 1e-5
_COARSE_SIDE: Final = 32  # px; levels up to here converge, and carry colours across the whole photo
_COARSE_PASSES: Final = 10
_PASSES: Final = 4  # Jacobi; about as far as the two sequential passes of the paper get
_ROWS: Final = 24  # rows a step: all temporaries of a step stay in the processor's cache


def estimate_colors(rgb: Rgb, alpha: Gray) -> tuple[Rgb, Rgb]:
    """Foreground and background colours of every pixel.

    Time grows with the pixels: some 0.2 s a megapixel on one core. Where `alpha` is 0 the foreground, and where it is
    255 the background, is merely a smooth continuation.
    """
    height, width = alpha.shape
    levels = max(1, math.ceil(math.log2(max(height, width))))
    colors = _mean_colors(rgb, alpha)
    for level in range(levels + 1):
        size = round(width ** (level / levels)), round(height ** (level / levels))
        # Nearest, never averaged: a mean of composites is not the composite of the means.
        small_rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_NEAREST).reshape(size[1], size[0], 3)
        small_alpha = cv2.resize(alpha, size, interpolation=cv2.INTER_NEAREST)
        passes = _COARSE_PASSES if max(size) <= _COARSE_SIDE else _PASSES
        colors = _Level(np.asarray(small_rgb), np.asarray(small_alpha)).relax(_enlarge(colors, *size), passes)
    interleaved = np.rint(colors).astype(np.uint8).transpose(0, 2, 1)
    return np.ascontiguousarray(interleaved[..., :3]), np.ascontiguousarray(interleaved[..., 3:])


def _mean_colors(rgb: Rgb, alpha: Gray) -> Planes:
    """(1, 6, 1): the mean colours of what is nearly all foreground and of what is nearly all background."""
    means = (_mean_color(rgb, cv2.inRange(alpha, low, high)) for low, high in ((230, 255), (0, 25)))
    return np.concatenate(list(means), dtype=np.float32).reshape(1, 6, 1)


def _mean_color(rgb: Rgb, mask: MatLike) -> list[float]:
    """Of the pixels in `mask`, of all where it is empty."""
    return list(cv2.mean(rgb, mask if cv2.countNonZero(mask) else None)[:3])


def _enlarge(colors: Planes, width: int, height: int) -> Planes:
    rows = np.arange(height) * colors.shape[0] // height
    columns = np.arange(width) * colors.shape[2] // width
    return np.asarray(colors[rows][:, :, columns])


class _Level:
    """The equations at one size. Planes lie row by row, (height, channel, width), so that rows are blocks of memory.

    With v = (alpha, 1 - alpha), m the weighted mean of the neighbours' (F, B) and W the sum of the weights, a pixel's
    solution is m + v (photo - v.m) / (v.v + W).
    """

    def __init__(self, rgb: Rgb, alpha: Gray) -> None:
        opacity = alpha.astype(np.float32) / 255
        padded = np.pad(opacity, 1, mode="edge")
        neighbours = padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1]
        weights = [_REGULARIZATION + np.abs(opacity - neighbour) for neighbour in neighbours]
        total = sum(weights, start=np.zeros_like(opacity))
        self._photo = np.ascontiguousarray(rgb.transpose(0, 2, 1)).astype(np.float32)
        self._weights = [(weight / total)[:, None] for weight in weights]
        self._opacity = opacity[:, None]
        self._rest = (1 - opacity)[:, None]
        self._gain = 1 / (self._opacity**2 + self._rest**2 + total[:, None])

    def relax(self, colors: Planes, passes: int) -> Planes:
        """`colors` (height, 6, width) after so many Jacobi passes; 0 to 255."""
        height, channels, width = colors.shape
        now, after = (np.empty((height + 2, channels, width + 2), np.float32) for _ in range(2))
        now[1:-1, :, 1:-1] = colors
        for _ in range(passes):
            _extend_border(now)
            for top in range(0, height, _ROWS):
                self._relax_rows(now, after, top, min(top + _ROWS, height))
            now, after = after, now
        return np.asarray(now[1:-1, :, 1:-1])

    def _relax_rows(self, now: Planes, after: Planes, top: int, bottom: int) -> None:
        rows = slice(top, bottom)
        left, right, above, below = (weight[rows] for weight in self._weights)
        mean = left * now[top + 1 : bottom + 1, :, :-2]
        term = right * now[top + 1 : bottom + 1, :, 2:]
        mean += term
        mean += np.multiply(above, now[top:bottom, :, 1:-1], out=term)
        mean += np.multiply(below, now[top + 2 : bottom + 2, :, 1:-1], out=term)
        error = self._photo[rows] - self._opacity[rows] * mean[:, :3]
        error -= self._rest[rows] * mean[:, 3:]
        error *= self._gain[rows]
        mean[:, :3] += self._opacity[rows] * error
        mean[:, 3:] += self._rest[rows] * error
        np.clip(mean, 0, 255, out=after[top + 1 : bottom + 1, :, 1:-1])


def _extend_border(planes: Planes) -> None:
    planes[0], planes[-1] = planes[1], planes[-2]
    planes[:, :, 0], planes[:, :, -1] = planes[:, :, 1], planes[:, :, -2]
