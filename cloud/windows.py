"""Moving windows: no more than so many in any stretch of time, wherever it begins.

Kept in this process by default. `limits` has such a storage too, but version 5.8 never forgets a key of it, so that
every address that was ever seen stays in memory, and starts a thread for every request or so.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MemoryWindows", "Quota", "Taken", "Windows"]

_NOTATION: Final = re.compile(r"([1-9][0-9]{0,6})\s*(?:/|\s+per\s+)\s*(?:([1-9][0-9]{0,4})\s*)?(second|minute|hour)s?")
_SECONDS: Final = MappingProxyType({"second": 1, "minute": 60, "hour": 3600})


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `requests` (1 or more) in any `seconds` (1 or more)."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """`60/minute`, `10 per second`, `1000/2 hours`, as the package `limits` writes it. Raises `ValueError`."""
        match = _NOTATION.fullmatch(text.strip().lower())
        if match is None:
            raise ValueError(f"{text[:40]!r} is no limit like 60/minute, 10 per second or 1000/2 hours")
        requests, multiple, unit = match.groups()
        return cls(int(requests), int(multiple or 1) * _SECONDS[unit])


class Taken(NamedTuple):
    """Whether there was room, for how many more there is, and after how many seconds there will be for one more."""

    allowed: bool
    remaining: int
    reset: float


class Windows(Protocol):
    def take(self, key: str, quota: Quota) -> Taken:
        """Count one under `key`, if there is room; a refused one does not count. A key always has the same quota.

        Raises `TransientError` where nobody knows.
        """


class MemoryWindows:
    """`Windows` of this process. Thread-safe, and no larger than what is still counted.

    Of more than `most` keys it forgets those that were quiet for the longest time.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, most: int = 100_000) -> None:
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Window] = OrderedDict()

    def __len__(self) -> int:
        """How many keys are kept."""
        return len(self._kept)

    def take(self, key: str, quota: Quota) -> Taken:
        with self._lock:
            now = self._clock()
            window = self._kept.setdefault(key, _Window(quota, deque()))
            self._kept.move_to_end(key)
            taken = window.take(now)
            self._forget(now)
            return taken

    def _forget(self, now: float) -> None:
        """Those at the front were not asked about for the longest time: mostly they are empty by now."""
        while len(self._kept) > 1:
            quietest = next(iter(self._kept))
            if len(self._kept) <= self._most and not self._kept[quietest].over(now):
                return
            del self._kept[quietest]


class _Window(NamedTuple):
    """`times` of what was counted, the oldest first."""

    quota: Quota
    times: deque[float]

    def take(self, now: float) -> Taken:
        while self.times and self.times[0] <= now - self.quota.seconds:
            self.times.popleft()
        allowed = len(self.times) < self.quota.requests
        if allowed:
            self.times.append(now)
        return Taken(allowed, self.quota.requests - len(self.times), self.times[0] - now + self.quota.seconds)

    def over(self, now: float) -> bool:
        return self.times[-1] <= now - self.quota.seconds
