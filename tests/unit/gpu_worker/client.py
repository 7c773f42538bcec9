"""An ASGI application called in process, from any number of threads."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from queue import Queue
from typing import TYPE_CHECKING, Any, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

__all__ = ["Client", "serving"]

_TIMEOUT: Final = 10.0


class Client:
    def __init__(self, client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def request(self, method: str, path: str, **content: Any) -> httpx.Response:
        answer = asyncio.run_coroutine_threadsafe(self._client.request(method, path, **content), self._loop)
        return answer.result(_TIMEOUT)

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, **content: Any) -> httpx.Response:
        return self.request("POST", path, **content)


@contextmanager
def serving(app: Starlette) -> Iterator[Client]:
    """Its lifespan runs around the block, in an event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    clients: Queue[Client] = Queue()
    stop = asyncio.Event()

    async def live() -> None:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://worker.test") as http,
        ):
            clients.put(Client(http, loop))
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(live()), name="asgi")
    thread.start()
    try:
        yield clients.get(timeout=_TIMEOUT)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_TIMEOUT)
        loop.close()
