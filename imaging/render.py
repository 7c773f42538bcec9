"""One photo and its matte to any number of results."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from events.errors import NoForegroundError
from imaging.effects import EFFECTS
from imaging.encode import encode_gray, encode_jpeg, encode_png, encode_webp
from imaging.foreground import estimate_foreground
from imaging.photo import for_network, over

if TYPE_CHECKING:
    from events.recipe import Color, Crop, Recipe
    from imaging.photo import Gray, Photo, Rgb

__all__ = ["Renderer", "Rendering"]

_SUBJECT: Final = 16  # alpha from which a pixel belongs to the subject: faint haze must not defeat the crop


@dataclass(frozen=True, slots=True)
class Rendering:
    """One result: the encoded file, its size in px, and its media type."""

    data: bytes = field(repr=False)
    width: int
    height: int
    content_type: str


class Renderer:
    """Renders recipes of one photo. `matte` has the photo's height and width; the photo's own alpha multiplies it.

    The foreground's colours are estimated once, when the first recipe needs them. Raises `ValueError` where the sizes
    differ.
    """

    def __init__(self, photo: Photo, matte: Gray) -> None:
        if matte.shape != photo.rgb.shape[:2]:
            raise ValueError(f"matte of {matte.shape} for a photo of {photo.rgb.shape[:2]}")
        self._photo = photo
        self._matte = matte
        self._alpha = matte
        if photo.alpha is not None:
            self._alpha = np.asarray(cv2.multiply(matte, photo.alpha, scale=1 / 255), np.uint8)

    def render(self, recipe: Recipe) -> Rendering:
        """The result that `recipe` describes.

        Crop, scale, effect, background, in this order. Raises `NoForegroundError` where there is nothing to crop to,
        and `UnsupportedRecipeError` for a size that the format can't hold.
        """
        rows, columns = _frame(self._alpha, recipe.crop)
        alpha = self._alpha[rows, columns]
        size = _fitted_size(alpha, recipe.max_side)
        if recipe.format == "mask":
            mask = _scaled(alpha, size)
            return _rendering(encode_gray(mask), mask, recipe)
        rgb, alpha = _scaled_layer(self._foreground[rows, columns], alpha, size)
        return _rendering(_encoded(EFFECTS[recipe.effect](rgb), alpha, recipe), alpha, recipe)

    @cached_property
    def _foreground(self) -> Rgb:
        """Subject colours, 0 where the result is transparent. A translucent photo pixel's straight colour is exact."""
        foreground = estimate_foreground(for_network(self._photo), self._matte)
        if self._photo.alpha is None:
            return foreground
        merged = cv2.copyTo(self._photo.rgb, cv2.inRange(self._photo.alpha, 1, 254), foreground)
        return np.asarray(cv2.copyTo(merged, self._alpha), np.uint8)


def _frame(alpha: Gray, crop: Crop | None) -> tuple[slice, slice]:
    """Rows and columns of the result: all, or the subject's bounding box with its margin, clipped to the photo."""
    if crop is None:
        return slice(None), slice(None)
    left, top, width, height = cv2.boundingRect(cv2.inRange(alpha, _SUBJECT, 255))
    if width == 0:
        raise NoForegroundError("nothing stands out from the background: there is no subject to crop to")
    margin = round(max(width, height) * crop.margin / 100)
    return (
        slice(max(top - margin, 0), top + height + margin),
        slice(max(left - margin, 0), left + width + margin),
    )


def _fitted_size(alpha: Gray, max_side: int | None) -> tuple[int, int]:
    """Width and height scaled down to `max_side`, never up, with at least 1 px."""
    height, width = alpha.shape
    scale = 1.0 if max_side is None else min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _scaled(pixels: Gray, size: tuple[int, int]) -> Gray:
    """Area averaging: no ringing, which a sharper filter would show as a line along every edge of alpha."""
    if size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _scaled_layer(rgb: Rgb, alpha: Gray, size: tuple[int, int]) -> tuple[Rgb, Gray]:
    """Straight colours and alpha at `size`. Averaged premultiplied, or transparent black would darken the edges."""
    if size == (rgb.shape[1], rgb.shape[0]):
        return rgb, alpha
    premultiplied = cv2.multiply(rgb, cv2.merge((alpha, alpha, alpha)), dtype=cv2.CV_16U)
    small = cv2.resize(premultiplied, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    weight = cv2.resize(alpha.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small_alpha = np.rint(weight).astype(np.uint8)
    straight = small / np.maximum(weight, 1 / 255)[..., None]
    small_rgb = np.rint(np.minimum(straight, 255)).astype(np.uint8)
    return np.asarray(cv2.copyTo(small_rgb, small_alpha), np.uint8), small_alpha


def _encoded(rgb: Rgb, alpha: Gray, recipe: Recipe) -> bytes:
    transparency: Gray | None = alpha
    if recipe.background is not None:
        rgb, transparency = over(rgb, alpha, _components(recipe.background)), None
    if recipe.format == "jpg":
        return encode_jpeg(rgb)
    return encode_webp(rgb, transparency) if recipe.format == "webp" else encode_png(rgb, transparency)


def _components(color: Color) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color.color[1:])
    return red, green, blue


def _rendering(data: bytes, pixels: Gray, recipe: Recipe) -> Rendering:
    height, width = pixels.shape
    return Rendering(data, width, height, recipe.content_type)
