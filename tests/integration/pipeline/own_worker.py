"""A worker of a test's own beside the stack's, so that pushes reach it which the emulator doesn't make."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from local.ports import free_ports
from local.stack import ROOT
from tests.integration.pipeline.deliveries import PATIENCE

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
        _wait_until_ready(url)
        yield process, url
    finally:
        process.kill()
        process.wait()
        log.close()


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise AssertionError("the worker did not start")
