from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TypeVar

import pytest

T = TypeVar("T")


class JoinedFuture(Future[T]):
    """Tells when somebody has come to wait for it."""

    joined = threading.Semaphore(0)

    def result(self, timeout: float | None = None) -> T:
        self.joined.release()
        return super().result(timeout)


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Released once for every caller that has joined a flight which another one leads."""
    monkeypatch.setattr("jobs.single_flight.Future", JoinedFuture)
    monkeypatch.setattr(JoinedFuture, "joined", threading.Semaphore(0))
    return JoinedFuture.joined
