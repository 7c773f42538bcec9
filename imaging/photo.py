"""A decoded photo: only its pixels, upright, in sRGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Gray", "Photo", "Rgb", "blend", "components", "for_network", "over"]

_OPACITY: Final = np.arange(256, dtype=np.float32) / 255
_REST: Final = 1 - _OPACITY

Rgb: TypeAlias = "NDArray[np.uint8]"
"""(height, width, 3), sRGB."""

Gray: TypeAlias = "NDArray[np.uint8]"
"""(height, width), 0 to 255."""


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """`rgb`: straight (not premultiplied) sRGB. `alpha`: the photo's own transparency, None where it is opaque.

    The arrays may be shared with a codec's buffer: treat them as read-only.
    """

    rgb: Rgb
    alpha: Gray | None = None

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])


def components(color: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of `#rrggbb`."""
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue


def for_network(photo: Photo) -> Rgb:
    """What the network should look at: the photo, over white where it is transparent."""
    return photo.rgb if photo.alpha is None else over(photo.rgb, photo.alpha, (255, 255, 255))


def over(rgb: Rgb, alpha: Gray, color: tuple[int, int, int]) -> Rgb:
    """Straight `rgb` with `alpha` over one colour."""
    behind = np.empty_like(rgb)
    behind[:] = color
    return blend(rgb, behind, alpha)


def blend(front: Rgb, behind: Rgb, alpha: Gray) -> Rgb:
    """`front` with `alpha` over `behind`, mixed as browsers do: in sRGB values, not in linear light."""
    return np.asarray(cv2.blendLinear(front, behind, cv2.LUT(alpha, _OPACITY), cv2.LUT(alpha, _REST)), np.uint8)
