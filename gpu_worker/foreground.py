"""The subject's own colours at its edge, computed on a GPU.

What `imaging.foreground` and `imaging.multilevel` do, and they say why, on every pixel around the edge instead of
chosen ones: choosing costs a GPU more than computing. Their accuracy holds here too; no GPU has measured its speed yet.
"""

from __future__ import annotations

import logging
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional

from imaging.foreground import estimate_foreground

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from imaging.photo import Gray, Rgb

__all__ = ["TorchForeground"]

_LOG: Final = logging.getLogger(__name__)
_SOLVED_PIXELS: Final = 1_000_000
_MARGIN: Final = 32  # px of known foreground and background around the edge
_STRIP: Final = 1_000_000  # pixels that are corrected at once: 100 MB for all that becomes of them
_REGULARIZATION: Final = 1e-5
_COARSE_SIDE: Final = 32  # px; levels up to here converge, and carry colours across the whole photo
_COARSE_PASSES: Final = 10
_PASSES: Final = 4


class TorchForeground:
    """`imaging.foreground.estimate_foreground` on a device of torch's, up to rounding; thread-safe."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)

    @torch.inference_mode()
    def __call__(self, rgb: Rgb, alpha: Gray) -> Rgb:
        """Foreground colours (height, width, 3): the photo's own where `alpha` is 255, 0 where it is 0.

        On the CPU, with imaging's, where the device's memory does not do.
        """
        with suppress(torch.OutOfMemoryError):
            return self._estimate(rgb, alpha)
        torch.cuda.empty_cache()
        _LOG.warning("foreground_beyond_gpu_memory", extra={"pixels": alpha.size})
        return estimate_foreground(rgb, alpha)

    def _estimate(self, rgb: Rgb, alpha: Gray) -> Rgb:
        planes = self._moved(rgb).permute(2, 0, 1)
        opacity = self._moved(alpha)
        foreground = planes * (opacity > 0)
        rows, columns = _soft_edge(opacity)
        if opacity[rows, columns].numel():
            box = foreground[:, rows, columns]
            soft = (opacity[rows, columns] > 0) & (opacity[rows, columns] < 255)
            box.copy_(_colors(planes[:, rows, columns], opacity[rows, columns]).where(soft, box))
        result: Rgb = foreground.permute(1, 2, 0).contiguous().cpu().numpy()
        return result

    def _moved(self, image: Rgb | Gray) -> Tensor:
        return torch.tensor(image, device=self._device)  # copies: torch may not share what must not be written


def _soft_edge(alpha: Tensor) -> tuple[slice, slice]:
    """Rows and columns with all partial alpha and a margin; the whole of a small photo, whose coarse levels would
    sample other pixels in a part of it.
    """
    soft = (alpha > 0) & (alpha < 255)
    rows, columns = (soft.any(dim=axis).nonzero()[:, 0].tolist() for axis in (1, 0))
    if not rows:
        return slice(0), slice(0)
    if alpha.numel() <= _SOLVED_PIXELS:
        return slice(None), slice(None)
    return _with_margin(rows), _with_margin(columns)


def _with_margin(places: list[int]) -> slice:
    return slice(max(places[0] - _MARGIN, 0), places[-1] + 1 + _MARGIN)


def _colors(rgb: Tensor, alpha: Tensor) -> Tensor:
    """Foreground colours (3, h, w) uint8 of a photo (3, h, w) uint8 with alpha (h, w) uint8."""
    step = math.ceil(math.sqrt(alpha.numel() / _SOLVED_PIXELS))
    first = min(step // 2, min(alpha.shape) - 1)
    colors = _solved(rgb[:, first::step, first::step], alpha[first::step, first::step])
    if step == 1:
        return colors[:3].round().byte()
    strips = [
        _corrected(rgb[:, rows], alpha[rows], _enlarged(colors, rows, *alpha.shape)) for rows in _strips(*alpha.shape)
    ]
    return torch.cat(strips, dim=1)


def _strips(height: int, width: int) -> Iterator[slice]:
    rows_at_once = max(1, _STRIP // width)
    for start in range(0, height, rows_at_once):
        yield slice(start, min(start + rows_at_once, height))


def _enlarged(colors: Tensor, rows: slice, height: int, width: int) -> Tensor:
    """Some rows of the colours (6, any, any) enlarged bilinearly to (6, height, width)."""
    count = colors.shape[1]
    places = (torch.arange(rows.start, rows.stop, device=colors.device) + 0.5) * (count / height) - 0.5
    places = places.clamp(0, count - 1)
    above = places.floor().long()
    below = (above + 1).clamp(max=count - 1)
    lines = torch.lerp(colors[:, above], colors[:, below], (places - above)[:, None])
    return functional.interpolate(lines[None], (len(places), width), mode="bilinear")[0]


def _corrected(rgb: Tensor, alpha: Tensor, colors: Tensor) -> Tensor:
    """The foreground of F and B, (6, h, w), changed by its share of what their composite misses: (3, h, w) uint8."""
    opacity = alpha.float() / 255
    rest = 1 - opacity
    foreground, background = colors[:3], colors[3:]
    error = rgb - opacity * foreground - rest * background
    return (foreground + error * (opacity / (opacity**2 + rest**2))).clamp_(0, 255).round_().byte()


def _solved(rgb: Tensor, alpha: Tensor) -> Tensor:
    """F and B, (6, h, w) float32, 0 to 255, of a photo (3, h, w) with alpha (h, w), both uint8."""
    height, width = alpha.shape
    steps = max(1, math.ceil(math.log2(max(height, width))))
    colors = _mean_colors(rgb, alpha)
    for step in range(steps + 1):
        size = round(height ** (step / steps)), round(width ** (step / steps))
        # Nearest pixels, never averaged ones: a mean of composites is not the composite of the means.
        photo, opacity = _nearest(rgb, size).float(), _nearest(alpha[None], size).float() / 255
        colors = _relaxed(_nearest(colors, size), photo, opacity)
    return colors


def _mean_colors(rgb: Tensor, alpha: Tensor) -> Tensor:
    """(6, 1, 1): the mean colours of what is nearly all foreground and of what is nearly all background."""
    means = []
    for mask in (alpha >= 230, alpha <= 25):
        weights = mask.double() if mask.any() else torch.ones_like(mask, dtype=torch.float64)
        means.append((rgb * weights).sum((1, 2)) / weights.sum())
    return torch.cat(means).float()[:, None, None]


def _nearest(image: Tensor, size: tuple[int, int]) -> Tensor:
    """(channels, any, any) -> (channels, *size)."""
    rows, columns = (
        torch.arange(wanted, device=image.device) * there // wanted
        for wanted, there in zip(size, image.shape[1:], strict=True)
    )
    return image[:, rows[:, None], columns]


def _relaxed(colors: Tensor, photo: Tensor, opacity: Tensor) -> Tensor:
    """F and B, (6, h, w), after the Jacobi passes over them, of a photo (3, h, w) with alpha (1, h, w) in [0, 1].

    With v = (alpha, 1 - alpha), m the weighted mean of the neighbours' (F, B) and W the sum of the weights, a pixel's
    solution is m + v (photo - v.m) / (v.v + W). A pixel at the border is its own neighbour beyond.
    """
    weights = [_REGULARIZATION + (opacity - neighbour).abs() for neighbour in _neighbours(opacity)]
    total = sum(weights, start=torch.zeros_like(opacity))
    weights = [weight / total for weight in weights]
    rest = 1 - opacity
    gain = 1 / (opacity**2 + rest**2 + total)
    for _ in range(_COARSE_PASSES if max(opacity.shape) <= _COARSE_SIDE else _PASSES):
        mean = torch.zeros_like(colors)
        for weight, neighbour in zip(weights, _neighbours(colors), strict=True):
            mean.addcmul_(weight.expand_as(neighbour), neighbour)
        error = (photo - opacity * mean[:3] - rest * mean[3:]) * gain
        mean[:3].addcmul_(opacity.expand_as(error), error)
        mean[3:].addcmul_(rest.expand_as(error), error)
        colors = mean.clamp_(0, 255)
    return colors


def _neighbours(image: Tensor) -> list[Tensor]:
    """What is left, right, above and below of each pixel of (channels, h, w)."""
    height, width = image.shape[1:]
    padded = functional.pad(image, (1, 1, 1, 1), mode="replicate")
    corners = ((1, 0), (1, 2), (0, 1), (2, 1))
    return [padded[:, top : top + height, left : left + width] for top, left in corners]
