"""The instant worker, killed by SIGKILL just before the n-th call of its ports: `MORTAL_BEFORE=n`.

Calls count from the first push, and only those that change something or read the job: a worker that dies before each
of them in turn has died between every two steps of a job.
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
    from collections.abc import Callable

    from gpu_worker.start import Ports


class _Mortal:
    """Forwards every call of a port, until the fatal one."""

    def __init__(self, port: object, fatal: Callable[[], bool]) -> None:
        self._port = port
        self._fatal = fatal

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if self._concerns_a_job(arguments) and self._fatal():
                os.kill(os.getpid(), signal.SIGKILL)
            return method(*arguments, **options)

        return call

    @staticmethod
    def _concerns_a_job(arguments: tuple[Any, ...]) -> bool:
        return not any(isinstance(one, str) and one.startswith(("~activity/", "~health")) for one in arguments)


def _connect(settings: Settings) -> Ports:
    calls = itertools.count(1)
    last = int(os.environ["MORTAL_BEFORE"])

    def fatal() -> bool:
        return next(calls) == last

    store, publisher = google_ports(settings)
    return _Mortal(store, fatal), _Mortal(publisher, fatal)  # type: ignore[return-value]  # by __getattr__


if __name__ == "__main__":
    chosen = Settings.from_env(os.environ)
    configure(chosen.log_format, project=chosen.project)
    sys.exit(serve(chosen, InstantEngine, connect=_connect))
