"""What an adapter talks to in a test: an HTTP server that answers as told."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from tests.http_server import Answer, Asked, HttpServer
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StubServer"]


class StubServer(HttpServer):
    """Gives the answers put into it, one after the other, and the last one again and again."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(self._answer, port=port)
        self.asked: SimpleQueue[Asked] = SimpleQueue()
        self._answers: list[Answer | Callable[[Asked], Answer]] = [Answer(204)]
        self._lock = threading.Lock()

    def will_answer(self, *answers: Answer | Callable[[Asked], Answer]) -> None:
        with self._lock:
            self._answers = list(answers)

    def next_request(self, *, seconds: float = PATIENCE) -> Asked:
        try:
            return self.asked.get(timeout=seconds)
        except Empty:
            raise AssertionError(f"no request within {seconds:g} s") from None

    def _answer(self, asked: Asked) -> Answer:
        self.asked.put(asked)
        with self._lock:
            answer = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        return answer if isinstance(answer, Answer) else answer(asked)
