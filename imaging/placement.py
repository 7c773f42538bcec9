"""Which part of the photo goes where in the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np

from events.errors import NoForegroundError
from imaging.layer import Box, Layer, bounds, fitted, scaled

if TYPE_CHECKING:
    from events.recipe import Crop, Recipe
    from imaging.photo import Gray, Rgb

__all__ = ["Placement", "place"]

_FRINGE: Final = 0.02  # of a moved subject's longer side: soft hair beyond its box comes along
_CENTRAL: Final = 50


class Placement(NamedTuple):
    """`frame` of the photo becomes the result of `size` (width, height) px.

    Of the subject, `source` is scaled to `target`, which may reach beyond the result.
    """

    frame: Box
    size: tuple[int, int]
    source: Box
    target: Box

    def layer(self, rgb: Rgb, alpha: Gray) -> Layer:
        """The subject in the result, of a photo's colours (0 where transparent) and alpha."""
        part = self.source.slices
        moved = scaled(Layer(rgb[part], alpha[part]), (self.target.width, self.target.height))
        return Layer(*(self._pasted(plane) for plane in moved))

    def mask(self, alpha: Gray) -> Gray:
        """The subject's alpha in the result.

        Area averaging has no ringing, which a sharper filter would show as a line along every edge.
        """
        part = alpha[self.source.slices]
        size = self.target.width, self.target.height
        if size == (part.shape[1], part.shape[0]):
            return self._pasted(part)
        smaller = size[0] <= part.shape[1]
        interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        return self._pasted(np.asarray(cv2.resize(part, size, interpolation=interpolation), np.uint8))

    def _pasted(self, plane: Rgb | Gray) -> Rgb | Gray:
        """`plane` at `target` in an empty result."""
        width, height = self.size
        if self.target == (0, 0, width, height):
            return plane
        inside = Box(*np.clip(self.target, 0, (width, height, width, height)).tolist())
        pasted = np.zeros((height, width, *plane.shape[2:]), np.uint8)
        rows = slice(inside.top - self.target.top, inside.bottom - self.target.top)
        columns = slice(inside.left - self.target.left, inside.right - self.target.left)
        pasted[inside.slices] = plane[rows, columns]
        return pasted


def place(alpha: Gray, recipe: Recipe) -> Placement:
    """Where `recipe` puts the subject that `alpha` shows.

    Raises `NoForegroundError` where it must crop to, scale or move a subject and there is none.
    """
    height, width = alpha.shape
    whole = Box(0, 0, width, height)
    moved = recipe.scale is not None or recipe.position is not None
    if recipe.crop is None and not moved:
        size = _size(whole, recipe)
        return Placement(whole, size, whole, Box(0, 0, *size))
    subject = bounds(alpha)
    if subject is None:
        raise NoForegroundError("nothing stands out from the background: there is no subject to crop to, scale or move")
    frame = whole if recipe.crop is None else _cropped(subject, recipe.crop, whole)
    size = _size(frame, recipe)
    if not moved:
        return Placement(frame, size, frame, Box(0, 0, *size))
    source = _grown(subject, round(_FRINGE * subject.longer_side), whole)
    return Placement(frame, size, source, _target(subject, source, frame, size, recipe))


def _size(frame: Box, recipe: Recipe) -> tuple[int, int]:
    return fitted(frame.width, frame.height, recipe.longest_side or frame.longer_side)


def _cropped(subject: Box, crop: Crop, whole: Box) -> Box:
    return _grown(subject, crop.margin_px or round(subject.longer_side * crop.margin / 100), whole)


def _grown(box: Box, margin: int, whole: Box) -> Box:
    return Box(
        max(box.left - margin, 0),
        max(box.top - margin, 0),
        min(box.right + margin, whole.right),
        min(box.bottom + margin, whole.bottom),
    )


def _target(subject: Box, source: Box, frame: Box, size: tuple[int, int], recipe: Recipe) -> Box:
    """Where `source` comes to lie, so that the subject in it has its scale and its position."""
    width, height = size
    if recipe.scale is None:
        zoom = max(size) / frame.longer_side
    else:
        zoom = recipe.scale / 100 * min(width / subject.width, height / subject.height)
    x, y = (_CENTRAL, _CENTRAL) if recipe.position is None else (recipe.position.x, recipe.position.y)
    left = (width - subject.width * zoom) * x / 100 - (subject.left - source.left) * zoom
    top = (height - subject.height * zoom) * y / 100 - (subject.top - source.top) * zoom
    return Box(
        round(left),
        round(top),
        round(left) + max(1, round(source.width * zoom)),
        round(top) + max(1, round(source.height * zoom)),
    )
