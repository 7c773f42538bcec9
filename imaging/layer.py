"""The subject as a layer: its colours and opacity, to be changed and put over what is behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imaging.photo import Gray, Rgb

__all__ = ["SUBJECT", "Box", "Layer", "bounds", "continued", "filled", "fitted", "rounded", "scaled", "visible"]

SUBJECT: Final = 16
"""Alpha from which a pixel belongs to the subject: faint haze must not count as a part of it."""

_FILL_SIDE: Final = 256  # px: what is far from the subject needs no detail
_SCARCE: Final = np.float32(1e-3)


class Layer(NamedTuple):
    """Straight sRGB (height, width, 3), 0 where `alpha` (height, width) is 0."""

    rgb: Rgb
    alpha: Gray


class Box(NamedTuple):
    """A rectangle in px, half open."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def longer_side(self) -> int:
        return max(self.width, self.height)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def rounded(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Each value as the nearest of the whole numbers from 0 to 255."""
    return np.asarray(np.rint(np.clip(values, 0, 255)), np.uint8)


def bounds(alpha: Gray, at_least: int = SUBJECT) -> Box | None:
    """What encloses all pixels with so much alpha; None where there is none."""
    left, top, width, height = cv2.boundingRect(cv2.inRange(alpha, at_least, 255))
    return Box(left, top, left + width, top + height) if width else None


def visible(rgb: Rgb, alpha: Gray) -> Layer:
    """A layer of colours that may stand where there is nothing."""
    return Layer(np.asarray(cv2.copyTo(rgb, alpha), np.uint8), alpha)


def fitted(width: int, height: int, side: float) -> tuple[int, int]:
    """Width and height with the longer one at most `side`, never enlarged, at least 1 px each."""
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def scaled(layer: Layer, size: tuple[int, int]) -> Layer:
    """The layer at another `size` (width, height): averaged where that is smaller, else interpolated.

    Premultiplied, or transparent black would darken the edges.
    """
    rgb, alpha = layer
    if size == (rgb.shape[1], rgb.shape[0]):
        return layer
    interpolation = cv2.INTER_AREA if size[0] <= rgb.shape[1] else cv2.INTER_LINEAR
    premultiplied = cv2.multiply(rgb, cv2.merge((alpha, alpha, alpha)), dtype=cv2.CV_16U)
    small = cv2.resize(premultiplied, size, interpolation=interpolation)
    weight = np.asarray(cv2.resize(alpha.astype(np.float32), size, interpolation=interpolation), np.float32)
    divisor = np.maximum(weight, np.float32(1 / 255))
    straight = cv2.divide(small, cv2.merge((divisor, divisor, divisor)), dtype=cv2.CV_8U)
    return visible(np.asarray(straight, np.uint8), rounded(weight))


def continued(layer: Layer) -> Rgb:
    """Colours of which every pixel has one: where the layer is transparent, a smooth continuation of the others.

    A filter over them sees no edge where the subject has none.
    """
    height, width = layer.alpha.shape
    size = fitted(width, height, _FILL_SIDE)
    small = scaled(layer, size)
    known = (small.alpha > 0).astype(np.float32)
    around = rounded(filled(small.rgb.astype(np.float32), known))
    behind = np.asarray(cv2.resize(around, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return np.asarray(cv2.copyTo(layer.rgb, layer.alpha, behind), np.uint8)


def filled(sums: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """`sums / weights`, and where there is no weight what coarser and coarser means of the surroundings say.

    `sums` (height, width, channels) are values times `weights` (height, width), which are from 0 to 1. Pull-push:
    S. J. Gortler, R. Grzeszczuk, R. Szeliski, M. F. Cohen, "The Lumigraph" (SIGGRAPH 1996), section 3.4.
    """
    height, width = weights.shape
    mean = sums / np.maximum(weights, _SCARCE)[..., None]
    if max(height, width) == 1 or weights.min() >= 1:
        return np.asarray(mean, np.float32)
    half = (width + 1) // 2, (height + 1) // 2
    fewer = np.asarray(cv2.resize(weights, half, interpolation=cv2.INTER_AREA), np.float32)
    gain = np.asarray(np.minimum(1, 4 * fewer) / np.maximum(fewer, _SCARCE), np.float32)
    summed = np.asarray(cv2.resize(sums, half, interpolation=cv2.INTER_AREA) * gain[..., None], np.float32)
    coarse = filled(summed, fewer * gain)
    behind = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(behind + weights[..., None] * (mean - behind), np.float32)
