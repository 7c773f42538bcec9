"""Calls that overlap share one request, as a database's log commits transactions in groups."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["GroupCommit"]

T = TypeVar("T")
R = TypeVar("R")


class _Entry(NamedTuple, Generic[T, R]):
    item: T
    result: Future[R]


class GroupCommit(Generic[T, R]):
    """What comes while a commit is under way waits for its end, and then goes together. Nothing waits for company.

    `commit` takes at most `most` items and returns a result for each. Thread-safe.
    """

    def __init__(self, commit: Callable[[Sequence[T]], Sequence[R]], *, most: int) -> None:
        self._commit = commit
        self._most = most
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._waiting: list[_Entry[T, R]] = []

    def submit(self, item: T) -> R:
        """The item's result. Raises whatever the commit raised that the item was part of."""
        entry = _Entry[T, R](item, Future())
        with self._lock:
            self._waiting.append(entry)
        with self._turn:
            while not entry.result.done():
                self._commit_next()
        return entry.result.result()

    def _commit_next(self) -> None:
        with self._lock:
            group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            committed = list(zip(group, self._commit([entry.item for entry in group]), strict=True))
        except BaseException as error:  # noqa: BLE001  # each caller raises it in its own thread
            for entry in group:
                entry.result.set_exception(error)
            return
        for entry, result in committed:
            entry.result.set_result(result)
