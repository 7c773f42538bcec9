"""Which pixel is where when an image is cut into (shifted) windows, once for each size of image."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

__all__ = ["Band", "cut"]


@dataclass(frozen=True, slots=True)
class Band:
    """Whole rows of windows, whose pixels attend to nothing outside.

    A band's pixels are those of its rows in reading order. Its slots are the N places of each window, window by
    window, and windows of one kind of mask next to each other.
    """

    rows: tuple[slice, ...]
    """Rows of the image; two slices where the shift wraps around."""
    slots: Tensor
    """Pixel of each slot, (windows * N,) int64; the one after the last where the slot holds padding."""
    padded: bool
    """Whether any slot does."""
    places: Tensor
    """Slot of each pixel, int64."""
    kinds: tuple[tuple[int, slice], ...]
    """Windows of each kind of mask: 0 inner, 1 last column, 2 last row, 3 both; 0 only without a shift."""

    def take(self, x: Tensor) -> Tensor:
        """(B, h, w, C) -> (B, pixels, C)."""
        parts = [x[:, rows].flatten(1, 2) for rows in self.rows]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def put(self, pixels: Tensor, x: Tensor) -> None:
        """The inverse of `take`, into `x`."""
        start = 0
        for rows in self.rows:
            target = x[:, rows]
            stop = start + target.shape[1] * target.shape[2]
            target.copy_(pixels[:, start:stop].view_as(target))
            start = stop


def cut(height: int, width: int, window: int, shift: int, *, largest: int | None, device: torch.device) -> list[Band]:
    """The bands of an image of height x width, each of about `largest` pixels at most, or one for None.

    The image is padded to whole windows at the bottom and the right, then rolled up and left by `shift`.
    """
    count = -(-height // window)
    rows_at_once = count if largest is None else max(1, largest // (window * width))
    return [
        _band(height, width, window, shift, range(first, min(first + rows_at_once, count)), device)
        for first in range(0, count, rows_at_once)
    ]


def _band(height: int, width: int, window: int, shift: int, numbers: range, device: torch.device) -> Band:
    last_row, last_column = -(-height // window) - 1, -(-width // window) - 1
    windows = [(row, column) for row in numbers for column in range(last_column + 1)]

    def kind(place: tuple[int, int]) -> int:
        return 2 * (place[0] == last_row) + (place[1] == last_column) if shift else 0

    windows.sort(key=kind)
    line = torch.arange(window)
    ys = (torch.tensor([row for row, _ in windows])[:, None] * window + line + shift) % ((last_row + 1) * window)
    xs = (torch.tensor([column for _, column in windows])[:, None] * window + line + shift) % (
        (last_column + 1) * window
    )
    inside = ((ys < height)[:, :, None] & (xs < width)[:, None]).flatten()

    rows = sorted(set(ys[ys < height].tolist()))
    number = torch.zeros(height, dtype=torch.int64)
    number[rows] = torch.arange(len(rows))
    pixels = (number[ys.clamp(max=height - 1)][:, :, None] * width + xs[:, None]).flatten()

    places = torch.empty(len(rows) * width, dtype=torch.int64)
    places[pixels[inside]] = inside.nonzero()[:, 0]
    return Band(
        rows=tuple(_runs(rows)),
        slots=pixels.where(inside, len(places)).to(device),
        padded=not bool(inside.all()),
        places=places.to(device),
        kinds=tuple(_stretches([kind(place) for place in windows])),
    )


def _runs(rows: list[int]) -> Iterator[slice]:
    """Ascending numbers as slices of consecutive ones."""
    for _, run in groupby(enumerate(rows), key=lambda numbered: numbered[1] - numbered[0]):
        numbers = [number for _, number in run]
        yield slice(numbers[0], numbers[-1] + 1)


def _stretches(kinds: list[int]) -> Iterator[tuple[int, slice]]:
    """Ascending kinds as slices of equal ones."""
    start = 0
    for kind, stretch in groupby(kinds):
        stop = start + len(list(stretch))
        yield kind, slice(start, stop)
        start = stop
