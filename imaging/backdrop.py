"""What stands behind the subject, at the size of the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from events.recipe import Blur, Color, Gradient, Picture
from imaging.layer import Layer, filled, fitted, rounded, scaled
from imaging.photo import components, for_network

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from events.recipe import Background
    from imaging.photo import Gray, Photo, Rgb
    from imaging.placement import Placement

__all__ = ["backdrop"]

_STEPS: Final = 4096  # of a gradient: sixteen for each level
_ROWS: Final = 64  # of a gradient at once, to stay in the processor's cache
_DISC: Final = 6  # px: the radius of a blur at the size at which it is made
_KNOWN: Final = 250  # share of background, of 255, from which a pixel shows no subject
_BESIDE: Final = np.ones((3, 3), np.uint8)

_VALUES: Final = np.arange(256) / 255
_LINEAR: Final = np.where(_VALUES <= 0.04045, _VALUES / 12.92, ((_VALUES + 0.055) / 1.055) ** 2.4).astype(np.float32)
"""Light by sRGB level (IEC 61966-2-1)."""


def backdrop(
    background: Background,
    placement: Placement,
    photo: Photo,
    alpha: Gray,
    picture: Callable[[str], Photo],
) -> Rgb:
    """(height, width, 3) of the result. `alpha` is the subject's, at the photo's size; `picture` gives an asset."""
    match background:
        case Color():
            return _flat(background.color, placement.size)
        case Gradient():
            return _gradient(background, placement.size)
        case Blur():
            return _out_of_focus(background, placement, photo, alpha)
        case Picture():
            return _covering(for_network(picture(background.asset)), placement.size)


def _flat(color: str, size: tuple[int, int]) -> Rgb:
    plane = np.empty((size[1], size[0], 3), np.uint8)
    plane[:] = components(color)
    return plane


def _gradient(gradient: Gradient, size: tuple[int, int]) -> Rgb:
    """As CSS draws it, mixed in sRGB: the corners have the first and the last colour.

    https://www.w3.org/TR/css-images-3/#linear-gradients
    """
    width, height = size
    right, up = np.sin(np.deg2rad(gradient.angle)), np.cos(np.deg2rad(gradient.angle))
    length = abs(width * right) + abs(height * up)
    x = ((np.arange(width) + 0.5 - width / 2) * (right * _STEPS / length)).astype(np.float32)
    y = ((np.arange(height) + 0.5 - height / 2) * (-up * _STEPS / length) + (_STEPS + 1) / 2).astype(np.float32)
    stops = np.linspace(0, _STEPS, len(gradient.colors))
    channels = zip(*(components(color) for color in gradient.colors), strict=True)
    colors = np.stack([rounded(np.interp(np.arange(_STEPS + 1), stops, channel)) for channel in channels], axis=-1)
    plane = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _ROWS):
        along = x[None, :] + y[top : top + _ROWS, None]
        colors.take(along.astype(np.uint16), axis=0, mode="clip", out=plane[top : top + _ROWS])
    return plane


def _covering(rgb: Rgb, size: tuple[int, int]) -> Rgb:
    """The middle of an image, as large as covers `size`: as `object-fit: cover` of CSS."""
    height, width = rgb.shape[:2]
    zoom = max(size[0] / width, size[1] / height)
    wide, high = min(width, max(1, round(size[0] / zoom))), min(height, max(1, round(size[1] / zoom)))
    left, top = (width - wide) // 2, (height - high) // 2
    interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    part = np.ascontiguousarray(rgb[top : top + high, left : left + wide])
    return np.asarray(cv2.resize(part, size, interpolation=interpolation), np.uint8)


def _out_of_focus(blur: Blur, placement: Placement, photo: Photo, alpha: Gray) -> Rgb:
    """The frame through a wide lens: each point of light becomes a disc.

    What the subject hides is continued from its surroundings first, so that nothing of it shines through. Made at a
    small size, where it has all the detail that is left.
    """
    part, frame = placement.frame.slices, placement.frame
    size = fitted(frame.width, frame.height, _DISC * 1000 / blur.radius)
    around = cv2.bitwise_not(alpha[part])
    if photo.alpha is not None:
        around = cv2.min(around, photo.alpha[part])
    small = scaled(Layer(photo.rgb[part], np.asarray(around, np.uint8)), size)
    known = np.asarray(cv2.erode(cv2.inRange(small.alpha, _KNOWN, 255), _BESIDE), np.uint8)
    if not known.any():  # the subject fills the frame: its own colours are all there is
        small = scaled(Layer(photo.rgb[part], np.full_like(around, 255)), size)
        known = small.alpha
    weights = np.asarray(known / np.float32(255), np.float32)
    whole = filled(np.asarray(cv2.LUT(cv2.copyTo(small.rgb, known), _LINEAR), np.float32), weights)
    through_lens = cv2.filter2D(whole, -1, _disc(), borderType=cv2.BORDER_REFLECT_101)
    soft = _encoded(np.asarray(cv2.GaussianBlur(through_lens, (0, 0), 1.0), np.float32))
    return np.asarray(cv2.resize(soft, placement.size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _disc() -> NDArray[np.float32]:
    """Equal weights within the radius, with a sum of 1."""
    steps = np.arange(-_DISC, _DISC + 1)
    inside = np.clip(_DISC + 0.5 - np.hypot(steps[:, None], steps[None, :]), 0, 1)
    return np.asarray(inside / inside.sum(), np.float32)


def _encoded(light: NDArray[np.float32]) -> Rgb:
    """Linear light as levels of sRGB."""
    values = np.clip(light, 0, 1)
    return rounded(255 * np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055))
