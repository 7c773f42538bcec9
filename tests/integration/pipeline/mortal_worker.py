"""Instant workers that die by SIGKILL just before a chosen call of their ports, one after the other on one port.

Reads from stdin before which call the next worker dies, and forks it with everything imported. Once it is dead, another
one that lives takes its place. An empty line ends whichever it is, and is answered with `died` or `survived`.

Only calls that concern a job count, so that workers that die before each of them in turn have died between every two
steps of a job.
"""

from __future__ import annotations

import itertools
import os
import select
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

_NEVER = -1


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
        return _Mortal(store, calls, fatal), _Mortal(publisher, calls, fatal)

    serve(settings, InstantEngine, connect=connect)


def _fork(settings: Settings, fatal: int) -> int:
    child = os.fork()
    if child == 0:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        _live(settings, fatal)
    return child


def _watch(settings: Settings, mortal: int) -> str:
    """Replace the mortal worker once it is dead; end whichever there is when the next line comes."""
    child, outcome = mortal, "survived"
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        if outcome == "survived" and os.waitpid(child, os.WNOHANG)[0]:
            child, outcome = _fork(settings, _NEVER), "died"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return outcome


def main() -> None:
    settings = Settings.from_env(os.environ)
    configure(settings.log_format, project=settings.project)
    while line := sys.stdin.readline():
        outcome = _watch(settings, _fork(settings, int(line)))
        if not sys.stdin.readline():
            break
        print(outcome, flush=True)


if __name__ == "__main__":
    main()
