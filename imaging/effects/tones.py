"""Effects that change each pixel's tone: black and white, and sepia."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from imaging.layer import Layer, continued, fitted, rounded, scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imaging.photo import Gray, Rgb

__all__ = ["black_white", "enhanced_black_white", "film_tones", "ramp", "sepia", "stretch", "tone_range", "toned"]

_LUMA: Final = np.array([[0.2126, 0.7152, 0.0722]], np.float32)
_FILM: Final = np.array([[0.30, 0.55, 0.15]], np.float32)  # more red and blue: lighter skin, darker foliage

_LEVELS: Final = np.arange(256)
_OUTLIERS: Final = 0.005  # of the subject, at each end
_DETAIL: Final = 0.45  # of the difference between a tone and its surroundings, added once more
_NEIGHBOURHOOD: Final = 0.02  # of the subject's longer side
_FLAT: Final = 0.01  # variance, of tones from 0 to 1, below which a neighbourhood counts as flat
_SMALL_RADIUS: Final = 6.0  # px of a neighbourhood at the size at which it is looked at
_SEPIA: Final = (
    (0, (26, 15, 8)),
    (64, (84, 56, 34)),
    (128, (154, 118, 82)),
    (192, (214, 187, 150)),
    (255, (255, 246, 226)),
)


def black_white(layer: Layer, _side: float) -> Layer:
    """BT.709 luma of the gamma-encoded values, as television shows colour in black and white (ITU-R BT.709-6, 3.2)."""
    return layer._replace(rgb=_gray(np.asarray(cv2.transform(layer.rgb, _LUMA), np.uint8)))


def enhanced_black_white(layer: Layer, side: float) -> Layer:
    """As a darkroom print: the subject's tones from black to white, details raised, contrast by an S-curve."""
    tones = film_tones(layer.rgb)
    gain, offset = stretch(tones, layer.alpha, most=1.7)
    raised = cv2.addWeighted(
        tones,
        gain * (1 + _DETAIL),
        _surroundings(tones, layer, side * _NEIGHBOURHOOD),
        -gain * _DETAIL,
        offset,
        dtype=cv2.CV_8U,
    )
    curve = rounded(_LEVELS - 12.75 * np.sin(2 * np.pi * _LEVELS / 255))
    return layer._replace(rgb=_gray(np.asarray(cv2.LUT(raised, curve), np.uint8)))


def sepia(layer: Layer, _side: float) -> Layer:
    """As an old brown-toned print: dark brown to cream, flat tones stretched."""
    tones = film_tones(layer.rgb)
    gain, offset = stretch(tones, layer.alpha, most=1.5)
    return layer._replace(rgb=toned(tones, ramp(*_SEPIA)[rounded(gain * _LEVELS + offset)]))


def film_tones(rgb: Rgb) -> Gray:
    """Tones as black-and-white film has them."""
    return np.asarray(cv2.transform(rgb, _FILM), np.uint8)


def tone_range(tones: Gray, alpha: Gray, clipped: float) -> tuple[int, int]:
    """The darkest and the lightest tone of the subject, but for a share of outliers at each end."""
    counts = cv2.calcHist([tones], [0], cv2.inRange(alpha, 128, 255), [256], [0, 256]).ravel()
    total = float(counts.sum())
    if total == 0:
        return 0, 255
    shares = np.cumsum(counts) / total
    return int(np.searchsorted(shares, clipped)), int(np.searchsorted(shares, 1 - clipped))


def stretch(tones: Gray, alpha: Gray, *, most: float) -> tuple[float, float]:
    """Gain and offset that spread the subject's tones from 0 to 255, the gain being at most `most`.

    The less of that is reached, the more the middle stays where it was: a plain dark thing stays dark.
    """
    low, high = tone_range(tones, alpha, _OUTLIERS)
    wanted = 255 / max(high - low, 1)
    gain = min(wanted, most)
    share = (gain - 1) / (wanted - 1) if wanted > 1 else 1.0
    middle = (low + high) / 2
    return gain, middle + (127.5 - middle) * share - gain * middle


def ramp(*stops: tuple[int, tuple[int, int, int]]) -> NDArray[np.uint8]:
    """(256, 3): the colour of each tone, straight from one stop to the next."""
    tones, colors = zip(*stops, strict=True)
    channels = [np.interp(_LEVELS, tones, channel) for channel in zip(*colors, strict=True)]
    return rounded(np.stack(channels, axis=-1))


def toned(tones: Gray, colors: NDArray[np.uint8]) -> Rgb:
    """Each tone in its colour of the 256."""
    return np.asarray(cv2.applyColorMap(tones, colors[:, None]), np.uint8)


def _gray(tones: Gray) -> Rgb:
    return np.asarray(cv2.merge((tones, tones, tones)), np.uint8)


def _surroundings(tones: Gray, layer: Layer, radius: float) -> Gray:
    """The tones around each pixel that belong to the same thing, so that a raised detail gets no halo.

    A guided filter whose coefficients are found at a small size: K. He, J. Sun, "Fast Guided Filter" (2015),
    https://arxiv.org/abs/1505.00996.
    """
    height, width = tones.shape
    shrink = min(1.0, _SMALL_RADIUS / max(radius, 1.0))
    small = scaled(layer, fitted(width, height, max(width, height) * shrink))
    values = film_tones(continued(small)).astype(np.float32) / 255

    def mean(plane: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), max(radius, 1.0) * shrink), np.float32)

    around = mean(values)
    variance = mean(values * values) - around * around
    slope = variance / (variance + _FLAT)
    planes = (mean(slope), 255 * mean(around - slope * around))
    full_slope, full_offset = (cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in planes)
    followed = cv2.multiply(tones, full_slope, dtype=cv2.CV_32F)
    return np.asarray(cv2.add(followed, full_offset, dtype=cv2.CV_8U), np.uint8)
