"""What the original makes of images, and how near to it is near enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["demand_equal", "one_by_one"]


def one_by_one(network: Any, images: Tensor) -> Tensor:
    """The original stretches a whole batch to [0, 1] at once: it is right for single images only."""
    return torch.cat([network(image[None]) for image in images])


def demand_equal(mattes: Tensor, expected: Tensor, *, within: float) -> None:
    assert (mattes.shape, mattes.dtype) == (expected.shape, expected.dtype)
    assert expected.std() > 0.1, "a flat matte would agree with everything"
    assert (mattes - expected).abs().max() <= within
