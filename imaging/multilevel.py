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
_CROSS: Final = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_ROWS: Final = 24  # rows a step: all temporaries of a step stay in the processor's cache


def estimate_colors(rgb: Rgb, alpha: Gray, wanted: Gray) -> tuple[Rgb, Rgb]:
    """Foreground and background colours of every pixel; exact to the method where `wanted` is not 0.

    Elsewhere they are those of the next coarser level, a smooth continuation. Time grows with the pixels, a quarter of
    them at full cost, and with those wanted.
    """
    height, width = alpha.shape
    levels = max(1, math.ceil(math.log2(max(height, width))))
    colors = _mean_colors(rgb, alpha)
    for level in range(levels):
        size = round(width ** (level / levels)), round(height ** (level / levels))
        # Nearest, never averaged: a mean of composites is not the composite of the means.
        small_rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_NEAREST).reshape(size[1], size[0], 3)
        small_alpha = cv2.resize(alpha, size, interpolation=cv2.INTER_NEAREST)
        passes = _COARSE_PASSES if max(size) <= _COARSE_SIDE else _PASSES
        colors = _Level(np.asarray(small_rgb), np.asarray(small_alpha)).relax(_enlarge(colors, *size), passes)
    return _finest(rgb, alpha, wanted, colors)


def _finest(rgb: Rgb, alpha: Gray, wanted: Gray, coarse: Planes) -> tuple[Rgb, Rgb]:
    """The last level, three quarters of all pixels, relaxed only where it can reach a wanted one in its passes."""
    height, width = alpha.shape
    passes = _COARSE_PASSES if max(height, width) <= _COARSE_SIDE else _PASSES
    sparse = _SparseLevel(rgb, alpha, wanted, passes)
    flat = np.ascontiguousarray(coarse.transpose(0, 2, 1)).reshape(-1, 6)
    rows = np.arange(height) * coarse.shape[0] // height
    columns = np.arange(width) * coarse.shape[2] // width
    parents = (rows[:, None] * coarse.shape[2] + columns).reshape(-1)
    colors = np.rint(flat).astype(np.uint8)[parents]
    colors[sparse.pixels] = np.rint(sparse.relax(flat[parents[sparse.read]], passes))
    foreground, background = colors[:, :3].reshape(rgb.shape), colors[:, 3:].reshape(rgb.shape)
    return np.ascontiguousarray(foreground), np.ascontiguousarray(background)


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


class _SparseLevel:
    """The same equations at some pixels only: `pixels` are relaxed, `read` are those and their neighbours.

    Both hold indices into the flattened image, in order. Values lie pixel by pixel, (N, 6), as gathers like it.
    """

    def __init__(self, rgb: Rgb, alpha: Gray, wanted: Gray, passes: int) -> None:
        height, width = alpha.shape
        near = cv2.dilate(wanted, _CROSS, iterations=passes - 1) if passes > 1 else wanted
        self.pixels = np.flatnonzero(near)
        rows, columns = np.divmod(self.pixels, width)
        neighbours = (
            self.pixels - (columns > 0),
            self.pixels + (columns < width - 1),
            self.pixels - width * (rows > 0),
            self.pixels + width * (rows < height - 1),
        )
        reached = np.zeros(height * width, np.bool_)
        for each in (self.pixels, *neighbours):
            reached[each] = True
        self.read = np.flatnonzero(reached)
        place = np.cumsum(reached, dtype=np.int32) - 1
        self._own = place[self.pixels]
        self._neighbours = [place[each] for each in neighbours]
        opacity = alpha.reshape(-1).astype(np.float32) / 255
        own = opacity[self.pixels]
        weights = [_REGULARIZATION + np.abs(own - opacity[each]) for each in neighbours]
        total = sum(weights, start=np.zeros_like(own))
        self._photo = rgb.reshape(-1, 3)[self.pixels].astype(np.float32)
        self._weights = [(weight / total)[:, None] for weight in weights]
        self._opacity = own[:, None]
        self._rest = (1 - own)[:, None]
        self._gain = 1 / (self._opacity**2 + self._rest**2 + total[:, None])

    def relax(self, values: Planes, passes: int) -> Planes:
        """The colours of `pixels` (N, 6), 0 to 255, after so many Jacobi passes over the `values` (M, 6) of `read`."""
        for _ in range(passes):
            mean = sum(
                (w * values[n] for w, n in zip(self._weights, self._neighbours, strict=True)),
                start=np.zeros((self.pixels.size, 6), np.float32),
            )
            error = self._photo - self._opacity * mean[:, :3] - self._rest * mean[:, 3:]
            error *= self._gain
            mean[:, :3] += self._opacity * error
            mean[:, 3:] += self._rest * error
            values[self._own] = np.clip(mean, 0, 255, out=mean)
        return np.asarray(values[self._own])


def _extend_border(planes: Planes) -> None:
    planes[0], planes[-1] = planes[1], planes[-2]
    planes[:, :, 0], planes[:, :, -1] = planes[:, :, 1], planes[:, :, -2]
