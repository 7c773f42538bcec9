"""How long the local worker's processes lived: what Cloud Run would bill, for instances that live as they are told to.

A life is a file: its name tells the start, its modification time the last sign of life. So lives outlast the stack,
even one that was killed, as what was recorded of their jobs does.
"""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

__all__ = ["Life", "WorkerLives", "seconds_by_hour"]

_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"
_HOUR: Final = timedelta(hours=1)
_LOOK_SECONDS: Final = 1.0


class Life(NamedTuple):
    start: datetime
    end: datetime


class WorkerLives:
    """Use as a context manager: as long as it is open, it looks every second which processes still live."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._living: dict[Path, Callable[[], bool]] = {}
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def begin(self, start: datetime, lives: Callable[[], bool]) -> None:
        """A process was started then, and `lives` until it says otherwise."""
        path = self._folder / start.astimezone(UTC).strftime(_STAMP)
        path.touch()
        self._living[path] = lives

    def known(self) -> list[Life]:
        """All lives so far, of this stack and earlier ones, up to the last sign of each."""
        return [
            Life(
                datetime.strptime(path.name, _STAMP).replace(tzinfo=UTC),
                datetime.fromtimestamp(path.stat().st_mtime, UTC),
            )
            for path in sorted(self._folder.iterdir())
        ]

    def look(self) -> None:
        """Note which of those that were begun live."""
        for path, lives in list(self._living.items()):
            if lives():
                os.utime(path)
            else:
                del self._living[path]

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self.look()


def seconds_by_hour(lives: Iterable[Life], since: datetime, until: datetime) -> dict[datetime, float]:
    """Seconds of all lives together in each hour that begins in that time, which is of whole hours; none is left out
    but the empty ones.
    """
    seconds: dict[datetime, float] = {}
    for life in lives:
        hour = max(since, life.start.replace(minute=0, second=0, microsecond=0))
        while hour < min(until, life.end):
            lived = (min(life.end, hour + _HOUR) - max(life.start, hour)).total_seconds()
            seconds[hour] = seconds.get(hour, 0.0) + lived
            hour += _HOUR
    return seconds
