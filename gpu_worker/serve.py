"""The worker's process: the port first, then the start behind it, and an orderly end."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

import uvicorn

from cloud.telemetry.start import Telemetry
from gpu_worker.app import WorkerApp
from gpu_worker.collection import without_collection
from gpu_worker.metrics import WorkerMetrics
from jobs.telemetry import UNTRACED

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from gpu_worker.app import PushVerifier
    from gpu_worker.engines import Engine
    from gpu_worker.settings import Settings
    from gpu_worker.start import Ports
    from gpu_worker.worker import Worker

__all__ = ["serve"]

_DRAIN_SECONDS: Final = 8
"""Cloud Run sends SIGKILL 10 s after SIGTERM, and the application and the telemetry take up to half a second each."""
_TELL_SECONDS: Final = 0.5
"""For spans and numbers that were not sent yet, after the drain."""


def serve(
    settings: Settings, load: Callable[[], Engine], *, connect: Callable[[Settings], Ports] | None = None
) -> NoReturn:
    """Run a worker with the engine that `load` gives, over Google's services if `connect` gives no others.

    Runs until SIGTERM or SIGINT, then finish what is in flight, at most 8 s; what takes longer is given back. Exit
    status 1 if the start failed.
    """
    began = time.monotonic()
    metrics = WorkerMetrics()
    telemetry = Telemetry(settings.telemetry)
    telemetry.watch(metrics.registry)
    telemetry.begin()
    failures: list[str] = []

    def start() -> Worker:
        with without_collection():
            from gpu_worker.start import google_ports, start_worker  # noqa: PLC0415  # seconds of imports

            phases = {"import": round(time.monotonic() - began, 3)}
            tracer = telemetry.tracer or UNTRACED
            return start_worker(settings, load, connect or google_ports, metrics, phases=phases, tracer=tracer)

    def give_up() -> None:
        failures.append("start")
        server.should_exit = True

    app = WorkerApp(
        start,
        verifier=_verifier(settings),
        metrics=metrics,
        concurrency=settings.concurrency,
        max_pending=settings.max_pending,
        on_start_failure=give_up,
    )
    config = uvicorn.Config(
        app.asgi(),
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        access_log=False,
        log_config=None,
    )
    server = uvicorn.Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises a signal again once it has drained: that must not turn an orderly end into a death by signal.
        signal.signal(number, lambda *_: None)
    server.run()
    telemetry.close(_TELL_SECONDS)
    sys.stdout.flush()
    sys.stderr.flush()
    # A thread that still works on a job would hold the interpreter past the deadline; its message comes again.
    os._exit(1 if failures else 0)


def _verifier(settings: Settings) -> PushVerifier | None:
    if not settings.push_audience:
        return None
    from cloud.oidc import OidcVerifier  # noqa: PLC0415  # only where pushes carry tokens

    return OidcVerifier.for_google(settings.push_audience, settings.push_sender)
