"""What can't be sent is counted and given up. A log line an interval says so, and nobody else hears of it."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Failures"]

_LOG: Final = logging.getLogger(__name__)


class Failures:
    """Of one kind of telemetry, `signal`. Thread-safe."""

    def __init__(self, signal: str, *, interval: float = 60.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._signal = signal
        self._interval = interval
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._lost = 0
        self._silent_until = -float("inf")
        self._last_failed = False

    @property
    def last_failed(self) -> bool:
        """Whether the newest attempt to send failed: then it is no use to wait for the next."""
        return self._last_failed

    def sent(self) -> None:
        self._last_failed = False

    def lost(self, count: int, reason: str) -> None:
        """`count` spans or points are gone. `reason` is a word, or the name of an exception."""
        told = self._due(count)
        if told:
            _LOG.warning("telemetry_lost", extra={"signal": self._signal, "lost": told, "reason": reason})
        self._last_failed = True

    def _due(self, count: int) -> int:
        """How much was lost since the last line; 0 while it is too soon for another."""
        with self._lock:
            self._lost += count
            now = self._monotonic()
            if now < self._silent_until:
                return 0
            self._silent_until = now + self._interval
            told, self._lost = self._lost, 0
            return told
