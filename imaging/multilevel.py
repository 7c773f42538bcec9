"""Foreground and background colours by multi-level relaxation.

Minimises, over F and B, the compositing error of alpha F + (1 - alpha) B against the photo plus the difference of
neighbours' colours, weighted by how much alpha changes between them: T. Germer, T. Uelwer, S. Conrad, S. Harmeling,
"Fast Multi-Level Foreground Estimation" (ICPR 2020), https://arxiv.org/abs/2006.14970. Each pixel's two by two system
is the rank-one compositing term plus a multiple of the identity, so it has the closed form used in `_Level`.

Nobody needs the colours of every pixel, and a pass carries them from neighbour to neighbour only: each level solves
the pixels from which a wanted one can be reached in its passes, few more than those of the subject's edge.
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

_REGULARIZATION: Final = np.float32(1e-5)
_COARSE_SIDE: Final = 32  # px; levels up to here converge, and carry colours across the whole photo
_COARSE_PASSES: Final = 10
_PASSES: Final = 4  # Jacobi; about as far as the two sequential passes of the paper get
_CROSS: Final = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_CHUNK: Final = 8192  # pixels a step: all temporaries of a step stay in the processor's cache


def estimate_colors(rgb: Rgb, alpha: Gray, wanted: Gray) -> tuple[Rgb, Rgb]:
    """Foreground and background colours, (height, width, 3), where `wanted` is not 0; of no use elsewhere.

    Time grows with the wanted pixels, to some 0.2 s for a million of them.
    """
    steps = max(1, math.ceil(math.log2(max(alpha.shape))))
    levels = [_Level(rgb, alpha, wanted)]
    for step in range(steps - 1, -1, -1):
        levels.append(levels[-1].coarser(rgb, alpha, step / steps))
    colors = levels[-1].relax(_mean_colors(rgb, alpha))
    for coarser, level in zip(levels[:0:-1], levels[-2::-1], strict=True):
        colors = level.relax(colors[:, level.parents(coarser)])
    return levels[0].picture(colors[:3]), levels[0].picture(colors[3:])


def _mean_colors(rgb: Rgb, alpha: Gray) -> Planes:
    """(6, 1): the mean colours of what is nearly all foreground and of what is nearly all background."""
    means = (_mean_color(rgb, cv2.inRange(alpha, low, high)) for low, high in ((230, 255), (0, 25)))
    return np.concatenate(list(means), dtype=np.float32).reshape(6, 1)


def _mean_color(rgb: Rgb, mask: MatLike) -> list[float]:
    """Of the pixels in `mask`, of all where it is empty."""
    return list(cv2.mean(rgb, mask if cv2.countNonZero(mask) else None)[:3])


class _Level:
    """The equations of one size, at its N solved pixels, which follow each other row by row.

    With v = (alpha, 1 - alpha), m the weighted mean of the neighbours' (F, B) and W the sum of the weights, a pixel's
    solution is m + v (photo - v.m) / (v.v + W).

    Solved are the wanted pixels and all as far from them as there are passes. The outermost lack neighbours, and take
    any other colour for theirs: after the last pass that has come as far as next to a wanted pixel.
    """

    def __init__(self, rgb: Rgb, alpha: Gray, wanted: Gray) -> None:
        self._height, self._width = alpha.shape
        self._passes = _COARSE_PASSES if max(alpha.shape) <= _COARSE_SIDE else _PASSES
        solved = cv2.dilate(wanted, _CROSS, iterations=self._passes).reshape(-1) != 0
        self._pixels = np.flatnonzero(solved)
        # One more than the number among the solved, since `relax` has a column before the first.
        self._places = np.cumsum(solved, dtype=np.int32)
        self._rows, self._columns = np.divmod(self._pixels, self._width)
        # The first row is above itself and the last below itself, so that no pixel is without neighbours.
        above = self._pixels - self._width * (self._rows > 0)
        below = self._pixels + self._width * (self._rows < self._height - 1)
        self._above, self._below = self._places[above], self._places[below]

        opacity = alpha.reshape(-1) * np.float32(1 / 255)
        own = opacity[self._pixels]
        neighbours = self._pixels - 1, self._pixels + 1, above, below
        weights = [_REGULARIZATION + np.abs(own - opacity.take(each, mode="clip")) for each in neighbours]
        weights[0] *= self._columns > 0
        weights[1] *= self._columns < self._width - 1
        total = sum(weights, start=np.zeros_like(own))
        self._weights = [weight / total for weight in weights]
        self._photo = np.ascontiguousarray(rgb.reshape(-1, 3)[self._pixels].T, np.float32)
        self._opacity, self._rest = own, 1 - own
        self._gain = 1 / (self._opacity**2 + self._rest**2 + total)

    def coarser(self, rgb: Rgb, alpha: Gray, power: float) -> _Level:
        """The next level: its sides are those of the full-size photo to that power, and this one is computed from it.

        Nearest pixels, never averaged ones: a mean of composites is not the composite of the means.
        """
        height, width = (round(side**power) for side in alpha.shape)
        small_rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_NEAREST).reshape(height, width, 3)
        small_alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_NEAREST).reshape(height, width)
        wanted = np.zeros((height, width), np.uint8)
        wanted.reshape(-1)[self._shrunk(height, width)] = 1
        return _Level(np.asarray(small_rgb, np.uint8), np.asarray(small_alpha, np.uint8), wanted)

    def parents(self, coarser: _Level) -> NDArray[np.int32]:
        """(N,): the number, among the solved pixels of the coarser level, of the one that each lies in."""
        return coarser._places[self._shrunk(coarser._height, coarser._width)] - 1

    def _shrunk(self, height: int, width: int) -> NDArray[np.intp]:
        """(N,): indices into the flattened image of height x width."""
        rows = np.arange(self._height) * height // self._height * width
        columns = np.arange(self._width) * width // self._width
        return np.asarray(rows[self._rows] + columns[self._columns])

    def relax(self, colors: Planes) -> Planes:
        """The colours (6, N) of F and B, 0 to 255, after the Jacobi passes over `colors` (6, N) or (6, 1)."""
        now, after = (np.zeros((6, self._pixels.size + 2), np.float32) for _ in range(2))
        now[:, 1:-1] = colors
        for _ in range(self._passes):
            for start in range(0, self._pixels.size, _CHUNK):
                self._relax_some(now, after, slice(start, min(start + _CHUNK, self._pixels.size)))
            now, after = after, now
        return now[:, 1:-1]

    def _relax_some(self, now: Planes, after: Planes, some: slice) -> None:
        left, right, above, below = (weight[some] for weight in self._weights)
        mean = left * now[:, some]
        term = right * now[:, some.start + 2 : some.stop + 2]
        mean += term
        for weight, places in ((above, self._above), (below, self._below)):
            np.take(now, places[some], axis=1, out=term, mode="clip")
            term *= weight
            mean += term
        opacity, rest = self._opacity[some], self._rest[some]
        error = self._photo[:, some] - opacity * mean[:3]
        error -= rest * mean[3:]
        error *= self._gain[some]
        mean[:3] += opacity * error
        mean[3:] += rest * error
        np.clip(mean, 0, 255, out=after[:, some.start + 1 : some.stop + 1])

    def picture(self, colors: Planes) -> Rgb:
        """Colours (3, N) as an image, 0 elsewhere."""
        values = np.empty((self._pixels.size, 3), np.uint8)
        np.rint(colors.T, out=values, casting="unsafe")
        image = np.zeros((self._height * self._width, 3), np.uint8)
        image[self._pixels] = values
        return image.reshape(self._height, self._width, 3)
