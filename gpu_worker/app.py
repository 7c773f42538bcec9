"""The worker over HTTP: Pub/Sub pushes in wrapped form, health, metrics."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from events.envelope import decode
from events.errors import CutoutError, InvalidMessageError, TransientError, UnauthorizedError
from events.messages import JobRequested, PubsubPush, WarmupRequested
from events.validation import decode_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request

    from events.envelope import Event
    from gpu_worker.metrics import WorkerMetrics
    from gpu_worker.worker import Worker

__all__ = ["PushVerifier", "WorkerApp"]

T = TypeVar("T")

_LOG: Final = logging.getLogger(__name__)
_MAX_PUSH_BYTES: Final = 14_000_000
"""Pub/Sub's largest message, 10 MB, in base64."""
_CLOSE_SECONDS: Final = 0.5
"""For the network's thread at the end: it is idle, or busy with a job that was given back."""
_ASIDES: Final = 8
"""Threads for what is quick but blocks; those of jobs may all be taken."""


class PushVerifier(Protocol):
    def verify(self, authorization: str | None) -> None:
        """Raises `UnauthorizedError` or `ForbiddenError` for a request that is not our subscription's."""


class OverloadedError(TransientError):
    """More jobs than this process may hold."""

    code = "overloaded"


class ShuttingDownError(TransientError):
    """The process ends before the job does: another one starts it again."""

    code = "shutting_down"


class WorkerApp:
    """`start` builds the worker in a thread once the port is bound, so that `/livez` answers from the first moment."""

    def __init__(
        self,
        start: Callable[[], Worker],
        *,
        verifier: PushVerifier | None,
        metrics: WorkerMetrics,
        concurrency: int,
        max_pending: int,
        on_start_failure: Callable[[], None],
    ) -> None:
        self._start = start
        self._verifier = verifier
        self._metrics = metrics
        self._max_pending = max_pending
        self._on_start_failure = on_start_failure
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="job")
        self._asides = ThreadPoolExecutor(_ASIDES, thread_name_prefix="aside")
        self._pending = 0
        self._worker: asyncio.Future[Worker] | None = None
        metrics.watch(in_flight=lambda: float(self._pending), queue=lambda: float(self._queue()))

    def asgi(self) -> Starlette:
        routes = [
            Route("/jobs", self._push(self._job), methods=["POST"]),
            Route("/warmup", self._push(self._warmup), methods=["POST"]),
            Route("/health", self._health),
            Route("/livez", self._livez),
            Route("/metrics", self._exposition),
        ]
        return Starlette(routes=routes, lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        self._worker = loop.create_future()
        loop.run_in_executor(self._threads, self._start_worker, loop)
        yield
        self._threads.shutdown(wait=False, cancel_futures=True)
        worker = self._ready_worker()
        if worker is not None:
            _, busy = await asyncio.wait({self._aside(worker.close)}, timeout=_CLOSE_SECONDS)
            if busy:
                _LOG.warning("network_busy_at_end")
        self._asides.shutdown(wait=False, cancel_futures=True)

    def _aside(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """In a thread that nothing waits for at the end, as asyncio does for its own."""
        return asyncio.get_running_loop().run_in_executor(self._asides, work)

    def _start_worker(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._worker is None:
            raise RuntimeError("the application has not started")
        try:
            worker = self._start()
        except Exception:  # noqa: BLE001  # whatever it is, the process must end
            _LOG.exception("start_failed")
            loop.call_soon_threadsafe(self._on_start_failure)
            return
        loop.call_soon_threadsafe(self._worker.set_result, worker)

    def _ready_worker(self) -> Worker | None:
        return self._worker.result() if self._worker is not None and self._worker.done() else None

    def _queue(self) -> int:
        worker = self._ready_worker()
        return 0 if worker is None else worker.waiting

    def _push(self, handle: Callable[[PubsubPush], Awaitable[None]]) -> Callable[[Request], Awaitable[Response]]:
        """2xx acknowledges; anything else brings the message again, and at last to the dead letters."""

        async def endpoint(request: Request) -> Response:
            try:
                if self._verifier is not None:
                    await self._verify(self._verifier, request.headers.get("authorization"))
                await handle(decode_json(await _body(request), PubsubPush))
            except asyncio.CancelledError:  # the server's time to drain is over
                return self._refuse(ShuttingDownError("the worker is told to end; the job starts again"))
            except CutoutError as error:
                return self._refuse(error)
            except Exception:  # noqa: BLE001  # a bug must not lose the message: it is refused, and comes again
                self._metrics.refused("internal")
                _LOG.exception("push_failed")
                return _refusal(CutoutError("an unexpected error; the log has it"))
            return Response(status_code=HTTPStatus.NO_CONTENT)

        return endpoint

    def _refuse(self, error: CutoutError) -> Response:
        self._metrics.refused(error.code)
        _LOG.warning("push_refused", extra={"code": error.code, "reason": error.message})
        return _refusal(error)

    async def _verify(self, verifier: PushVerifier, authorization: str | None) -> None:
        await self._aside(lambda: verifier.verify(authorization))

    async def _job(self, push: PubsubPush) -> None:
        event = decode(push.message.data, push.message.attributes, JobRequested)
        if self._pending >= self._max_pending:
            raise OverloadedError(f"{self._pending} jobs are here already, the limit is {self._max_pending}")
        self._pending += 1
        try:
            await self._run(event, push.delivery_attempt or 1)
        finally:
            self._pending -= 1

    async def _run(self, event: Event[JobRequested], attempt: int) -> None:
        worker = await self._wait_until_ready()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, lambda: worker.process(event, attempt=attempt))

    async def _warmup(self, push: PubsubPush) -> None:
        event = decode(push.message.data, push.message.attributes, WarmupRequested)
        worker = await self._wait_until_ready()
        await self._aside(worker.note_activity)
        _LOG.info("warmed_up", extra={"reason": event.data.reason})

    async def _wait_until_ready(self) -> Worker:
        """A push that came during the start waits for its end: a refusal would cost one of its attempts."""
        if self._worker is None:
            raise TransientError("the worker has not started")
        return await asyncio.shield(self._worker)

    async def _health(self, _request: Request) -> Response:
        worker = self._ready_worker()
        if worker is None:
            return _json({"status": "starting"}, HTTPStatus.SERVICE_UNAVAILABLE)
        report = await self._aside(worker.report)
        healthy = report["status"] == "ok"
        return _json(report, HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE)

    async def _livez(self, _request: Request) -> Response:
        worker = self._ready_worker()
        if worker is not None and not worker.healthy:
            return _json({"status": "unhealthy"}, HTTPStatus.SERVICE_UNAVAILABLE)
        return _json({"status": "alive"}, HTTPStatus.OK)

    async def _exposition(self, _request: Request) -> Response:
        return Response(self._metrics.exposition(), media_type="text/plain; version=0.0.4")


async def _body(request: Request) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MAX_PUSH_BYTES:
            raise InvalidMessageError({"$": f"a push has at most {_MAX_PUSH_BYTES} bytes"})
    return bytes(data)


def _refusal(error: CutoutError) -> Response:
    status = HTTPStatus.SERVICE_UNAVAILABLE
    if isinstance(error, InvalidMessageError):
        status = HTTPStatus.BAD_REQUEST
    elif isinstance(error, OverloadedError):
        status = HTTPStatus.TOO_MANY_REQUESTS
    elif isinstance(error, UnauthorizedError):
        status = HTTPStatus.UNAUTHORIZED
    elif not error.retryable:
        status = HTTPStatus.FORBIDDEN
    return _json({"error": {"code": error.code, "message": error.message}}, status)


def _json(value: object, status: HTTPStatus) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")
