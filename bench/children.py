"""Children of the benchmark: contenders that answer a JSON object a line, and what the kernel knows of a process.

A child reads from this process's pipe, so that it ends by itself when this process does, however that ends.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

__all__ = ["ROOT", "Contender", "ContenderError", "peak_bytes", "resident_bytes"]

ROOT: Final = Path(__file__).parent.parent
_PATIENCE: Final = 600.0
"""Seconds for one answer. The slowest honest one takes a tenth of that."""
_GRACE: Final = 10.0
_TAIL: Final = 2000


class ContenderError(RuntimeError):
    """A contender died, or did not answer. The message ends with the end of its log."""


class Contender:
    """A process that speaks `bench.contenders.lines`. Use as a context manager; `log` takes what it writes besides."""

    def __init__(self, name: str, command: Sequence[str | Path], environ: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [os.fspath(part) for part in command],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def peak_bytes(self) -> int:
        return peak_bytes(self._child.pid)

    def ask(self, **request: object) -> dict[str, Any]:
        """Its answer. Raises `ContenderError` where there is none."""
        questions, answers = self._child.stdin, self._child.stdout
        if questions is None or answers is None:
            raise RuntimeError("the contender has no pipes")
        with suppress(BrokenPipeError):  # the missing answer says why
            questions.write(json.dumps(request).encode() + b"\n")
            questions.flush()
        if not select.select([answers], [], [], _PATIENCE)[0]:
            raise ContenderError(f"{self.name} did not answer within {_PATIENCE:g} s{self._log_tail()}")
        line = answers.readline()
        if not line:
            raise ContenderError(f"{self.name} ended with exit code {self._child.wait()}{self._log_tail()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it: politely, then not."""
        if self._child.stdin is not None:
            with suppress(BrokenPipeError):
                self._child.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(_GRACE)
        self._child.kill()
        self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()

    def _log_tail(self) -> str:
        return "\n" + self._log.read_text(errors="replace")[-_TAIL:]


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had at once since it started (VmHWM of proc(5))."""
    return _status_bytes(pid, "VmHWM")


def resident_bytes(pid: int) -> int:
    """The memory that a process has now (VmRSS of proc(5))."""
    return _status_bytes(pid, "VmRSS")


def _status_bytes(pid: int, field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if found is None:
        raise ProcessLookupError(f"process {pid} has no memory any more")
    return 1024 * int(found[1])
