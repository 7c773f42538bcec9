"""Sends a process's numbers at an interval, from a thread of its own."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloud.telemetry.failures import Failures

    Send = Callable[[int, int], bool]

__all__ = ["MetricsPush"]

_MAKE_SECONDS: Final = 1.0
"""When imports are out of the way of the first request, and long before the end, when some no longer work."""


class MetricsPush:
    """`make` is called by the thread; after `stop` it sends a last time.

    What it makes sends what was counted between two times, in ns since the epoch, and says whether that worked, or
    raises.
    """

    def __init__(self, make: Callable[[], Send], failures: Failures, *, interval: float) -> None:
        self._sender = cache(make)
        self._failures = failures
        self._interval = interval
        self._began = time.time_ns()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._closing.set()

    def wait(self, seconds: float) -> None:
        """Return at the latest so many seconds after `stop`, sent or not; at once while sending fails."""
        self._thread.join(0 if self._failures.last_failed else seconds)

    def _loop(self) -> None:
        if not self._closing.wait(min(_MAKE_SECONDS, self._interval)):
            with suppress(Exception):  # told of when something is to be sent
                self._sender()
        while not self._closing.wait(self._interval):
            self._push()
        self._push()

    def _push(self) -> None:
        try:
            sent, reason = self._sender()(self._began, time.time_ns()), "refused_or_unreachable"
        except Exception as error:  # noqa: BLE001  # telemetry never fails a job
            sent, reason = False, type(error).__name__
        if sent:
            self._failures.sent()
        else:
            self._failures.lost(1, reason)
