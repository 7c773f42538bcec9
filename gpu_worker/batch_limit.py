"""How many photos go through the network together, now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BatchLimit"]

_CAUTIOUS_SECONDS: Final = 60.0


class BatchLimit:
    """The most that the engine takes; for a minute after the device had no memory for so many, half of what failed.

    What else needs the memory may be gone by then, and one failed pass a minute costs little. Not thread-safe.
    """

    def __init__(self, largest: int, monotonic: Callable[[], float]) -> None:
        if largest < 1:
            raise ValueError(f"largest: at least 1, got {largest}")
        self._largest = largest
        self._monotonic = monotonic
        self._reduced = largest
        self._until = 0.0

    def now(self) -> int:
        """Photos, at least 1."""
        return self._reduced if self._monotonic() < self._until else self._largest

    def exceeded(self, photos: int) -> None:
        """The device's memory did not do for so many."""
        self._reduced = max(1, photos // 2)
        self._until = self._monotonic() + _CAUTIOUS_SECONDS
