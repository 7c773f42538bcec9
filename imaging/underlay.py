"""What lies under the subject and moves with it: a sticker's outline, and a drop shadow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from imaging.contours import drawn, kept
from imaging.layer import Layer, fitted
from imaging.photo import blend, components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from events.recipe import Outline, Shadow
    from imaging.photo import Gray

__all__ = ["outlined", "shadowed"]

_OUTLINE_SIDE: Final = 1536  # px at which distances are found; they can be enlarged and keep a sharp edge
_INSIDE: Final = 64  # alpha, of a slightly blurred matte, from which a pixel is worth a line around it
_OUTSIDE: Final = 0.6745  # of the blur: how far outside of a straight edge that alpha is found
_ROUNDNESS: Final = 0.3  # of the line's width: the blur that leaves out specks and makes corners round
_HOLE: Final = 5  # widths of the line: the side of a square as large as the largest hole that is filled
_SOFT_SIGMA: Final = 4.0  # px of a shadow's blur at the size at which it is made


def outlined(layer: Layer, outline: Outline) -> Layer:
    """The layer on a backing that reaches beyond it by the outline's width, and has no small holes."""
    height, width = layer.alpha.shape
    size = fitted(width, height, _OUTLINE_SIDE)
    small = _resized(layer.alpha, size)
    line = outline.width / 1000 * max(size)
    rounding = max(line * _ROUNDNESS, 0.5)
    reach = max(line - _OUTSIDE * rounding + 0.5, 0.5)  # from the middle of a pixel, which lies half of one inside
    inside = cv2.GaussianBlur(small, (0, 0), rounding) >= _INSIDE
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    smooth = _without_holes(np.asarray(cv2.GaussianBlur(distance, (0, 0), rounding), np.float32), reach, line)
    return _on(layer, drawn(kept(reach - smooth), (width, height)), outline.color)


def shadowed(layer: Layer, shadow: Shadow) -> Layer:
    """The layer with its shadow, which goes on beyond the frame where the layer does."""
    height, width = layer.alpha.shape
    side = max(width, height)
    sigma = shadow.blur / 1000 * side
    shrink = min(1.0, _SOFT_SIGMA / sigma) if sigma else 1.0
    size = fitted(width, height, max(side * shrink, 1))
    small = _resized(layer.alpha, size)
    if sigma:
        small = np.asarray(cv2.GaussianBlur(small, (0, 0), sigma * shrink, borderType=cv2.BORDER_REPLICATE), np.uint8)
    move = np.array(((1, 0, shadow.x / 1000 * max(size)), (0, 1, shadow.y / 1000 * max(size))))
    moved = cv2.warpAffine(small, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cast = cv2.resize(moved, (width, height), interpolation=cv2.INTER_LINEAR)
    return _on(layer, np.asarray(cv2.convertScaleAbs(cast, alpha=shadow.opacity / 100), np.uint8), shadow.color)


def _without_holes(distance: NDArray[np.float32], reach: float, line: float) -> NDArray[np.float32]:
    """Distances where 0 takes the place of small areas beyond `reach` that have no way to the frame."""
    beyond = (distance > reach - 1).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(beyond, connectivity=4)
    filled = np.asarray(stats)[:, cv2.CC_STAT_AREA] < (_HOLE * line) ** 2
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        filled[edge] = False
    filled[0] = False  # what is not beyond
    return np.where(filled[labels], np.float32(0), distance) if count > 1 else distance


def _resized(alpha: Gray, size: tuple[int, int]) -> Gray:
    return np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.uint8)


def _on(layer: Layer, opacity: Gray, color: str) -> Layer:
    """The layer over one colour of that opacity."""
    behind = np.empty_like(layer.rgb)
    behind[:] = components(color)
    through = cv2.multiply(cv2.bitwise_not(layer.alpha), opacity, scale=1 / 255)
    alpha = np.asarray(cv2.add(layer.alpha, through), np.uint8)
    share = np.asarray(cv2.divide(layer.alpha, alpha, scale=255), np.uint8)
    return Layer(np.asarray(cv2.copyTo(blend(layer.rgb, behind, share), alpha), np.uint8), alpha)
