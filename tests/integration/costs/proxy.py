"""A way to a server that can be barred: as long as it is, every request is answered 503."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import httpx

from tests.http_server import Answer, HttpServer
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from tests.http_server import Asked

__all__ = ["Proxy"]

_HOP_BY_HOP: Final = {"connection", "content-encoding", "content-length", "host", "transfer-encoding"}


class Proxy(HttpServer):
    """`target` may be set after it was opened."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.target = ""
        self.barred = threading.Event()
        self.refused = 0
        self._lock = threading.Lock()
        self._client = httpx.Client(timeout=PATIENCE, trust_env=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._client.close()

    def _answer(self, asked: Asked) -> Answer:
        if self.barred.is_set():
            with self._lock:
                self.refused += 1
            return Answer(503, b"{}")
        headers = dict(_passed_on(asked.headers.items()))
        headers["Content-Encoding"] = asked.headers.get("Content-Encoding", "identity")
        response = self._client.request(asked.method, f"{self.target}{asked.path}", headers=headers, content=asked.body)
        return Answer(response.status_code, response.content, _passed_on(response.headers.items()))


def _passed_on(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP)
