"""Child processes that start together, are ready when they say so, and end together.

Each child has its own process group and log file. Children end in reverse order of their start, and none survives the
supervisor: `local.reaper` ends what a killed supervisor leaves behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

import httpx

from local import reaper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

__all__ = ["Process", "ProcessError", "Program", "Supervisor", "http_answers"]

_POLL_SECONDS: Final = 0.02
_READY_TIMEOUT_SECONDS: Final = 5.0
_TAIL_LINES: Final = 20
_TAIL_BYTES: Final = 16_384


def http_answers(url: str) -> Callable[[], bool]:
    """Whether a GET of that URL succeeds, for `Program.ready`."""

    def ready() -> bool:
        try:
            return httpx.get(url, timeout=_READY_TIMEOUT_SECONDS, trust_env=False).is_success
        except httpx.TransportError:
            return False

    return ready


class ProcessError(RuntimeError):
    """A child died or did not become ready. The message ends with the tail of its log."""

    def __init__(self, name: str, problem: str, tail: str) -> None:
        super().__init__(f"{name} {problem}\n{tail}".rstrip())
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run. `environ` is added to this process's own; `ready` is asked until it says yes."""

    name: str
    command: Sequence[str | Path]
    environ: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    cwd: Path | None = None
    ready: Callable[[], bool] = lambda: True
    ready_seconds: float = 30.0
    grace_seconds: float = 10.0


class Process:
    """A running child. Made by `Supervisor.start`."""

    def __init__(self, program: Program, child: subprocess.Popen[bytes], log: Path) -> None:
        self.program = program
        self.log = log
        self._child = child

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; the number of the signal, negated, where one ended it."""
        return self._child.poll()

    def log_tail(self) -> str:
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:])

    def check(self) -> None:
        """Raises `ProcessError` if it is dead."""
        if self.exit_code is not None:
            raise ProcessError(self.program.name, f"ended with exit code {self.exit_code}", self.log_tail())

    def wait_until_ready(self) -> None:
        """Raises `ProcessError` if it dies first, or takes longer than it may."""
        deadline = time.monotonic() + self.program.ready_seconds
        while not self.program.ready():
            self.check()
            if time.monotonic() >= deadline:
                raise ProcessError(
                    self.program.name, f"is not ready after {self.program.ready_seconds:g} s", self.log_tail()
                )
            time.sleep(_POLL_SECONDS)
        self.check()

    def signal(self, number: int) -> None:
        """Send a signal to the child and its own children; nothing happens where there are none."""
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, number)

    def stop(self) -> int:
        """SIGTERM, and SIGKILL to what is left after the grace. The child's exit code."""
        self.signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(self.program.grace_seconds)
        return self.kill()

    def kill(self) -> int:
        """SIGKILL, at once. The child's exit code."""
        self.signal(signal.SIGKILL)
        return self._child.wait()


class Supervisor:
    """Use as a context manager. `logs` is the folder of the log files, one a program, appended to."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[Process] = []

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        self._reaper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(reaper.__file__))], stdin=subprocess.PIPE, start_new_session=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for process in reversed(list(self._running)):
                self.stop(process)
        finally:
            self._reaper.communicate()

    @property
    def running(self) -> tuple[Process, ...]:
        """In order of their start."""
        return tuple(self._running)

    def start(self, program: Program) -> Process:
        """Start it and wait until it is ready. Raises `ProcessError`, and ends it, where it is not."""
        process = self.launch(program)
        try:
            process.wait_until_ready()
        except BaseException:
            self.stop(process)
            raise
        return process

    def launch(self, program: Program) -> Process:
        """Start it, and leave it to the caller to wait until it is ready."""
        log = self._logs / f"{program.name}.log"
        with log.open("ab") as output:
            child = subprocess.Popen(
                [os.fspath(part) for part in program.command],
                env={**os.environ, **program.environ},
                cwd=program.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        self._tell_reaper(f"+{child.pid}")
        process = Process(program, child, log)
        self._running.append(process)
        return process

    def stop(self, process: Process) -> int:
        """End one child. Its exit code."""
        exit_code = process.stop()
        with suppress(BrokenPipeError):  # without a reaper there is nothing to take back
            self._tell_reaper(f"-{process.pid}")
        if process in self._running:
            self._running.remove(process)
        return exit_code

    def check(self) -> None:
        """Raises `ProcessError` naming the first child that is dead, with the tail of its log."""
        for process in self._running:
            process.check()

    def _tell_reaper(self, line: str) -> None:
        pipe = self._reaper.stdin
        if pipe is None:
            raise RuntimeError("the reaper has no pipe")
        pipe.write(f"{line}\n".encode())
        pipe.flush()
