"""Google's Pub/Sub emulator: where it is on this machine, and how it is run.

It keeps nothing on disk. `PUBSUB_EMULATOR_HOST` names one that runs already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from local.emulator_files import find_jar, find_java
from local.ports import LOOPBACK
from local.processes import Program, http_answers

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["pubsub_emulator"]

_JAVA_OPTIONS: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m")
"""For a quick start rather than a long life."""


def pubsub_emulator(environ: Mapping[str, str], port: int) -> Program:
    """The emulator on that port of this machine. Raises `EmulatorMissingError`."""
    return Program(
        name="pubsub",
        command=(
            find_java(environ),
            *_JAVA_OPTIONS,
            "-jar",
            find_jar(environ),
            f"--host={LOOPBACK}",
            f"--port={port}",
        ),
        ready=http_answers(f"http://{LOOPBACK}:{port}/"),
        ready_seconds=60.0,
    )
