"""Ends process groups whose supervisor is gone, however it died: a program of its own that outlives it.

The supervisor writes `+PGID` when it has started a group and `-PGID` when it has ended one, a line each, and holds the
pipe open. When the pipe closes, whatever is still on the list is ended. It is run by path and imports nothing of ours.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["reap"]

_GRACE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.05


def reap(lines: Iterable[str], *, grace: float = _GRACE_SECONDS) -> None:
    """Follow `lines` to their end, then end the groups that are left: SIGTERM, and SIGKILL after `grace` seconds."""
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        _signal(group, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and any(_signal(group, 0) for group in groups):
        time.sleep(_POLL_SECONDS)
    for group in groups:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Whether the group is there."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reap(sys.stdin)
