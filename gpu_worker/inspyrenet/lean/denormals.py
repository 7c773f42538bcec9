"""Numbers next to zero, which processors compute with slowly."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["flushed_denormals"]


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Within it, this thread takes numbers under 1.2e-38 for zero (2.2e-308 in float64).

    A softmax makes many of them of far-apart logits, and a product with one takes the processor some hundred cycles.
    The threads that share this one's work take it from this one when they are made, and keep it: with their first work
    outside, they would be without.
    """
    if _flushes() or not torch.set_flush_denormal(True):
        yield
        return
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _flushes() -> bool:
    return sys.float_info.min / 2 == 0
