"""From a photo to what a network reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Preprocessing"]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Resize to a square, then `(value / divisor - mean) / scale` for each channel (red, green, blue)."""

    side: int
    divisor: float
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    resize: Image.Resampling = Image.Resampling.BILINEAR

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8, any size -> (3, side, side) float32."""
        square = np.asarray(Image.fromarray(rgb).resize((self.side, self.side), self.resize))
        planes = np.empty((3, self.side, self.side), np.float32)
        for channel, levels in enumerate(self._levels()):
            planes[channel] = levels[square[:, :, channel]]
        return planes

    def grey(self) -> NDArray[np.float32]:
        """What a photo of one grey becomes: (3, side, side) float32."""
        return self.apply(np.full((1, 1, 3), 127, np.uint8))

    def _levels(self) -> NDArray[np.float32]:
        """What each of the 256 levels becomes: (3, 256). Rounded to float32 after every step, as the networks were
        trained with, so that looking a value up gives the very same bits.
        """
        levels = np.arange(256, dtype=np.float32) / np.float32(self.divisor)
        centred = (levels - np.array(self.mean)[:, None]).astype(np.float32)
        scaled: NDArray[np.float32] = (centred / np.array(self.scale)[:, None]).astype(np.float32)
        return scaled
