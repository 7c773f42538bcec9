"""A worker of a test's own beside the stack's, so that pushes reach it which the emulator doesn't make."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from local.ports import free_ports
from local.processes import http_answers
from local.stack import ROOT
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.stack import Stack


@contextmanager
def a_worker(stack: Stack, **settings: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A worker of the test's own, ready, and its URL."""
    port = str(free_ports(1)[0])
    log = (stack.state / "logs" / "own-worker.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "local.instant_worker"],
        cwd=ROOT,
        env=os.environ | stack.worker_environ() | {"PORT": port, "CONCURRENCY": "8"} | settings,
        stdout=log,
        stderr=log,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until(http_answers(f"{url}/health"))
        yield process, url
    finally:
        process.kill()
        process.wait()
        log.close()
