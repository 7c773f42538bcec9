"""What a process has done lately, so that work which was looked for just before is not done again."""

from __future__ import annotations

import threading
from typing import Final

__all__ = ["Recent"]

_MOST: Final = 64
"""Far more than the jobs that a process has under way at a time."""


class Recent:
    """The newest names. Thread-safe."""

    def __init__(self, most: int = _MOST) -> None:
        self._lock = threading.Lock()
        self._most = most
        self._names: dict[str, None] = {}

    def add(self, name: str) -> None:
        with self._lock:
            self._names.pop(name, None)
            self._names[name] = None
            if len(self._names) > self._most:
                del self._names[next(iter(self._names))]

    def __contains__(self, name: str) -> bool:
        with self._lock:
            return name in self._names
