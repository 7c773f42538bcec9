"""The program of the job `catalogue`: one task, settings from the environment.

Exit status: 0 where every photo of the task is settled, which a photo that can't be done is too; 1 where another
attempt has something to do; 2 where the manifest or the settings are wrong, and nothing was done.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from cloud.environment import SettingsError
from cloud.logs import configure
from cloud.telemetry.start import Telemetry
from events.errors import CutoutError
from events.names import TENANT
from gpu_worker.bulk.manifest import MAX_BYTES, ManifestError, read_manifest
from gpu_worker.bulk.share import Share
from gpu_worker.bulk.task import UNFINISHED, BulkTask
from gpu_worker.loading import network_of
from gpu_worker.settings import Settings
from gpu_worker.start import google_ports
from jobs.metrics import JobMetrics
from jobs.telemetry import UNTRACED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpu_worker.bulk.manifest import Manifest
    from gpu_worker.loading import Network
    from jobs.ports import ObjectStore

__all__ = ["main"]

_LOG: Final = logging.getLogger(__name__)
WRONG: Final = 2
_SCHEME: Final = "gs://"
_TELL_SECONDS: Final = 0.5
"""For spans and numbers that were not sent yet."""


def main(argv: Sequence[str] | None = None, network_of: Callable[[Settings], Network] = network_of) -> int:
    """Work through this task's share of the manifest; returns the exit status."""
    began = time.monotonic()
    options = _options(argv)
    try:
        settings, share = Settings.from_env(os.environ), Share.from_env(os.environ)
        configure(settings.log_format, project=settings.project)
        network, ports = network_of(settings), google_ports(settings)
        manifest = _read(ports[0], options.manifest, options.tenant, network.model)
    except ManifestError as error:
        sys.stderr.writelines(f"{options.manifest}: {problem}\n" for problem in error.problems)
        return WRONG
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        return WRONG
    except CutoutError as error:
        sys.stderr.write(f"error: {error}\n")
        return UNFINISHED
    telemetry, metrics = Telemetry(settings.telemetry), JobMetrics()
    telemetry.watch(metrics.registry)
    telemetry.begin()
    task = BulkTask(
        manifest,
        share,
        settings,
        ports,
        network.load,
        metrics=metrics,
        tracer=telemetry.tracer or UNTRACED,
        began=began,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: task.stop())
    try:
        return task.run()
    except CutoutError as error:
        _LOG.exception("bulk_failed", extra={"code": error.code})
        return UNFINISHED
    finally:
        telemetry.close(_TELL_SECONDS)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gpu_worker.bulk", description="Work through a catalogue's photos.")
    parser.add_argument("manifest", help="JSON Lines, gs://BUCKET/NAME or a file here")
    parser.add_argument("--tenant", help="of the lines that name none")
    return parser.parse_args(argv)


def _read(store: ObjectStore, place: str, tenant: str | None, model: str) -> Manifest:
    """Raises `ManifestError`, and `TransientError` where the bucket can't be read."""
    if tenant is not None and re.fullmatch(TENANT, tenant) is None:
        raise ManifestError((f"--tenant {tenant!r} does not match {TENANT}",))
    return read_manifest(_bytes(store, place), tenant=tenant, model=model)


def _bytes(store: ObjectStore, place: str) -> bytes:
    if not place.startswith(_SCHEME):
        path = Path(place)
        if not path.is_file():
            raise ManifestError(("there is no such file",))
        return path.read_bytes()
    bucket, _, name = place.removeprefix(_SCHEME).partition("/")
    stat = store.stat(bucket, name) if bucket and name else None
    if stat is None:
        raise ManifestError(("there is no such object",))
    if stat.size > MAX_BYTES:
        raise ManifestError((f"{stat.size} bytes, at most {MAX_BYTES}: make several manifests",))
    stored = store.read(bucket, name)
    return b"" if stored is None else stored.data


def _exit(status: int) -> NoReturn:
    """At once: a thread that still works on a photo would hold the interpreter past the deadline."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _exit(main())
