"""One file over HTTPS."""

from __future__ import annotations

import http.client
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Final

from gpu_worker.weights.errors import UnreachableError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["download_file"]

_TIMEOUT_S: Final = 10.0
_BLOCK: Final = 1 << 20


def download_file(url: str, target: Path) -> None:
    """Download over HTTPS. Raises `UnreachableError` where the network fails at any point."""
    progress = _Progress(target.name)
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer, target.open("wb") as file:  # noqa: S310  # a constant URL
            total = int(answer.headers.get("Content-Length", 0))
            while block := answer.read(_BLOCK):
                file.write(block)
                progress.show(file.tell(), total)
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"{url}: {error}", url=url) from error
    finally:
        progress.end()
    if total and target.stat().st_size != total:
        raise UnreachableError(f"{url}: the answer ended after {target.stat().st_size} of {total} bytes", url=url)


class _Progress:
    """One line on a terminal that is written over; nothing anywhere else."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = 0.0

    def show(self, done: int, total: int) -> None:
        if sys.stderr.isatty() and time.monotonic() - self._shown > 0.2:
            self._shown = time.monotonic()
            of_total = f" of {total >> 20}" if total else ""
            sys.stderr.write(f"\r{self._label}: {done >> 20}{of_total} MiB")
            sys.stderr.flush()

    def end(self) -> None:
        if self._shown:
            sys.stderr.write("\n")
