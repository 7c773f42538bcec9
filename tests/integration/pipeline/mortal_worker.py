"""Instant workers that die by SIGKILL just before a chosen call of their ports, one after the other on one port.

Reads from stdin how many calls the next worker makes before it dies (0: it lives until stdin closes), forks it with
everything imported, and prints `died` when it did. Only calls that concern a job count, so that a worker that dies
before each of them in turn has died between every two steps of a job.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from cloud.logs import configure
from gpu_worker.serve import serve
from gpu_worker.settings import Settings
from gpu_worker.start import google_ports
from local.instant_worker import InstantEngine

if TYPE_CHECKING:
    from gpu_worker.start import Ports


class _Mortal:
    """Forwards every call of a port, until the fatal one."""

    def __init__(self, port: object, calls: itertools.count[int], fatal: int) -> None:
        self._port = port
        self._calls = calls
        self._fatal = fatal

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if _concerns_a_job(arguments) and next(self._calls) == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return method(*arguments, **options)

        return call


def _concerns_a_job(arguments: tuple[Any, ...]) -> bool:
    return not any(isinstance(one, str) and one.startswith(("~activity/", "~health")) for one in arguments)


def _live(settings: Settings, fatal: int) -> None:
    def connect(settings: Settings) -> Ports:
        calls = itertools.count(1)
        store, publisher = google_ports(settings)
        return _Mortal(store, calls, fatal), _Mortal(publisher, calls, fatal)  # type: ignore[return-value]  # by name

    serve(settings, InstantEngine, connect=connect)


def main() -> None:
    settings = Settings.from_env(os.environ)
    configure(settings.log_format, project=settings.project)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _live(settings, int(line))
        print("started", flush=True)
        if int(line):
            _, status = os.waitpid(child, 0)
            print("died" if os.WIFSIGNALED(status) else "ended", flush=True)
        else:
            sys.stdin.read()
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)


if __name__ == "__main__":
    main()
