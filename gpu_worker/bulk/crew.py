"""The threads that work through the photos of a task, and when they give up."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final

from events.errors import CutoutError
from gpu_worker.mattes import NetworkUnhealthyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gpu_worker.bulk.manifest import Photo
    from gpu_worker.bulk.report import Entry

__all__ = ["Crew", "pause"]

_LOG: Final = logging.getLogger(__name__)
_MOST_IN_A_ROW: Final = 24
_MOST_OF_A_THREAD: Final = 3
"""Failures that may pass, without a photo that ends between them. The task stops at 24, or at 3 for each thread where
that is more: then it is not the photos."""
_TIMES: Final = 60
"""How often progress is told before the time in between becomes longer, and again by as much."""
_ATTENTION: Final = 0.25
"""Seconds until a stop is noticed."""


def pause(interval: float, times: int) -> float:
    """Seconds until progress is told again, after it was told so often: each time leaves a part of the report."""
    return interval * (1 + times // _TIMES)


class Crew:
    """`settle` ends one photo, at the given attempt, or raises; `end` gets what it returned.

    As many photos are in memory as there are threads: enough that the network has its next batch while the results of
    the last one are encoded. A photo that fails in a way that may pass is tried once more after all others, without
    company in its batch.
    """

    def __init__(self, settle: Callable[[Photo, int], Entry], end: Callable[[Entry], None], *, threads: int) -> None:
        self._settle = settle
        self._end = end
        self._threads = threads
        self._hopeless = max(_MOST_IN_A_ROW, _MOST_OF_A_THREAD * threads)
        self._lock = threading.Lock()
        self._stopping = False
        self._idle = True
        self._in_a_row = 0
        self._again: list[Photo] = []

    @property
    def stopping(self) -> bool:
        return self._stopping

    @property
    def idle(self) -> bool:
        """Whether nobody is at a photo any more."""
        return self._idle

    def stop(self) -> None:
        """Take up no more photos. Takes no lock: a signal handler may call it."""
        self._stopping = True

    def work(
        self, photos: Iterable[Photo], *, interval: float, tell: Callable[[], None], patience: float
    ) -> tuple[Photo, ...]:
        """Settle them; returns those that failed in a way that may pass.

        `tell` is called every `interval` seconds, and less often as time goes on (`pause`). Once it is told to stop, it
        waits at most `patience` seconds for the photos in hand.
        """
        self._pass(photos, 1, interval, tell, patience)
        again, self._again = self._again, []
        if again and not self.stopping:
            self._pass(again, 2, interval, tell, patience)
            again, self._again = self._again, []
        return tuple(again)

    def _pass(
        self, photos: Iterable[Photo], attempt: int, interval: float, tell: Callable[[], None], patience: float
    ) -> None:
        waiting = iter(photos)
        threads = ThreadPoolExecutor(self._threads, "photo")
        try:
            pending = {threads.submit(self._loop, waiting, attempt) for _ in range(self._threads)}
            told, times = time.monotonic(), 0
            while pending and not self.stopping:
                _, pending = wait(pending, timeout=min(interval, _ATTENTION))
                if time.monotonic() - told >= pause(interval, times):
                    told, times = time.monotonic(), times + 1
                    tell()
            self._idle = not wait(pending, timeout=patience).not_done
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def _loop(self, waiting: Iterator[Photo], attempt: int) -> None:
        while not self.stopping:
            with self._lock:
                photo = next(waiting, None)
            if photo is None:
                return
            self._one(photo, attempt)

    def _one(self, photo: Photo, attempt: int) -> None:
        try:
            entry = self._settle(photo, attempt)
        except Exception as error:  # noqa: BLE001  # a bug must not lose the photo: another attempt may know better
            self._failed(photo, error)
            return
        with self._lock:
            self._in_a_row = 0
        self._end(entry)

    def _failed(self, photo: Photo, error: Exception) -> None:
        told = {"source": photo.source, "line": photo.line}
        if isinstance(error, CutoutError):
            _LOG.warning("photo_not_settled", extra=told | {"code": error.code, "reason": error.message})
        else:
            _LOG.error("photo_not_settled", extra=told, exc_info=error)
        with self._lock:
            self._again.append(photo)
            self._in_a_row += 1
            hopeless = self._in_a_row >= self._hopeless
        if hopeless or isinstance(error, NetworkUnhealthyError):
            _LOG.error("bulk_gave_up", extra={"reason": str(error)})
            self.stop()
