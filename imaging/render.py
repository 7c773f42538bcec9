"""One photo and its matte to any number of results."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from events.errors import AssetMissingError
from imaging.backdrop import backdrop
from imaging.effects import applied
from imaging.encode import encode_avif, encode_gray, encode_jpeg, encode_png, encode_webp
from imaging.foreground import estimate_foreground
from imaging.photo import blend, for_network
from imaging.placement import place
from imaging.underlay import outlined, shadowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.recipe import Recipe
    from imaging.photo import Gray, Photo, Rgb
    from imaging.placement import Placement

    ForegroundEstimator: TypeAlias = Callable[[Rgb, Gray], Rgb]

__all__ = ["Renderer", "Rendering"]


@dataclass(frozen=True, slots=True)
class Rendering:
    """One result: the encoded file, its size in px, and its media type."""

    data: bytes = field(repr=False)
    width: int
    height: int
    content_type: str


def _no_pictures(asset: str) -> Photo:
    raise AssetMissingError(f"background.asset: there is no asset {asset}", asset=asset)


class Renderer:
    """Renders recipes of one photo. `matte` has the photo's height and width; the photo's own alpha multiplies it.

    `picture` gives the image that a recipe names as background; the same one may be asked for again. The foreground's
    colours are estimated once, by `estimate`, when the first recipe needs them. Raises `ValueError` where the sizes
    differ.
    """

    def __init__(
        self,
        photo: Photo,
        matte: Gray,
        picture: Callable[[str], Photo] = _no_pictures,
        *,
        estimate: ForegroundEstimator = estimate_foreground,
    ) -> None:
        if matte.shape != photo.rgb.shape[:2]:
            raise ValueError(f"matte of {matte.shape} for a photo of {photo.rgb.shape[:2]}")
        self._photo = photo
        self._matte = matte
        self._asset = picture
        self._estimate = estimate
        self._alpha = matte
        if photo.alpha is not None:
            self._alpha = np.asarray(cv2.multiply(matte, photo.alpha, scale=1 / 255), np.uint8)

    def render(self, recipe: Recipe) -> Rendering:
        """The result that `recipe` describes.

        Crop, scale and position, effect, outline, shadow, background, in this order. Raises `NoForegroundError` where
        there is no subject to crop to, scale or move, `UnsupportedRecipeError` for a size that the format can't
        hold, and what `picture` raises.
        """
        placement = place(self._alpha, recipe)
        width, height = placement.size
        data = self._mask(placement, recipe) if recipe.format == "mask" else self._picture(placement, recipe)
        return Rendering(data, width, height, recipe.content_type)

    def _mask(self, placement: Placement, recipe: Recipe) -> bytes:
        return encode_gray(placement.mask(self._alpha), dpi=recipe.dpi)

    def _picture(self, placement: Placement, recipe: Recipe) -> bytes:
        layer = applied(recipe.effect, placement.layer(self._foreground, self._alpha))
        if recipe.outline is not None:
            layer = outlined(layer, recipe.outline)
        if recipe.shadow is not None:
            layer = shadowed(layer, recipe.shadow)
        if recipe.background is None:
            return _encoded(layer.rgb, layer.alpha, recipe)
        behind = backdrop(recipe.background, placement, self._photo, self._alpha, self._asset)
        return _encoded(blend(layer.rgb, behind, layer.alpha), None, recipe)

    @cached_property
    def _foreground(self) -> Rgb:
        """Subject colours, 0 where the result is transparent. A translucent photo pixel's straight colour is exact."""
        foreground = self._estimate(for_network(self._photo), self._matte)
        if self._photo.alpha is None:
            return foreground
        merged = cv2.copyTo(self._photo.rgb, cv2.inRange(self._photo.alpha, 1, 254), foreground)
        return np.asarray(cv2.copyTo(merged, self._alpha), np.uint8)


def _encoded(rgb: Rgb, alpha: Gray | None, recipe: Recipe) -> bytes:
    match recipe.format:
        case "jpg":
            return encode_jpeg(rgb, dpi=recipe.dpi)
        case "webp":
            return encode_webp(rgb, alpha, dpi=recipe.dpi)
        case "avif":
            return encode_avif(rgb, alpha, dpi=recipe.dpi)
        case _:
            return encode_png(rgb, alpha, dpi=recipe.dpi)
