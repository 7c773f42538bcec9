"""The program of the job `catalogue`: one task, settings from the environment.

Exit status: 0 where every photo of the task is settled, which a photo that can't be done is too; 1 where another
attempt has something to do; 2 where the manifest or the settings are wrong, and nothing was done. Cloud Run knows no
difference: it runs a task again after a 2 too, so only the first attempt of the first task tells all that is wrong,
and `--check` tells it before there is any task.
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
from typing import TYPE_CHECKING, Final, NoReturn, TypedDict

from cloud.environment import SettingsError
from cloud.logs import configure
from cloud.storage import GoogleObjectStore
from cloud.telemetry.start import Telemetry
from events.errors import CutoutError
from events.names import TENANT
from gpu_worker.bulk.manifest import MAX_BYTES, ManifestError, read_manifest, read_photos
from gpu_worker.bulk.share import Share, tenants_from_env
from gpu_worker.bulk.task import DONE, UNFINISHED, BulkTask
from gpu_worker.loading import network_of
from gpu_worker.settings import Settings
from gpu_worker.start import google_ports
from jobs.metrics import JobMetrics
from jobs.telemetry import UNTRACED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
        share = Share.from_env(os.environ)
        return _check(options) if options.check else _work(options, share, network_of, began)
    except ManifestError as error:
        told = error.problems if share.first else (error.message,)
        sys.stderr.writelines(f"{options.manifest}: {problem}\n" for problem in told)
        return WRONG
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        return WRONG
    except CutoutError as error:
        sys.stderr.write(f"error: {error}\n")
        return UNFINISHED


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gpu_worker.bulk", description="Work through a catalogue's photos.")
    parser.add_argument("manifest", help="JSON Lines, gs://BUCKET/NAME or a file here")
    parser.add_argument("--tenant", help="of the lines that name none")
    parser.add_argument("--check", action="store_true", help="only say what is wrong with the manifest, on any machine")
    return parser.parse_args(argv)


def _check(options: argparse.Namespace) -> int:
    """Needs no settings, and of the cloud only the manifest, where that is in a bucket."""
    data = _bytes(options.manifest, GoogleObjectStore.connect)
    photos = read_photos(data, **_owners(options.tenant))
    sys.stdout.write(f"{options.manifest}: no problems; photos: {len(photos)}\n")
    return DONE


def _work(options: argparse.Namespace, share: Share, network_of: Callable[[Settings], Network], began: float) -> int:
    settings = Settings.from_env(os.environ)
    configure(settings.log_format, project=settings.project)
    ports = google_ports(settings)
    data, owners = _bytes(options.manifest, lambda: ports[0]), _owners(options.tenant)
    network = network_of(settings)
    manifest = read_manifest(data, model=network.model, **owners)
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


class _Owners(TypedDict):
    tenant: str | None
    tenants: frozenset[str] | None


def _owners(tenant: str | None) -> _Owners:
    """Raises `ManifestError` where the argument is none of the tenants, `SettingsError` where these can't be read."""
    tenants = tenants_from_env(os.environ)
    if tenant is not None and re.fullmatch(TENANT, tenant) is None:
        raise ManifestError((f"--tenant {tenant!r} does not match {TENANT}",))
    if tenant is not None and tenants is not None and tenant not in tenants:
        raise ManifestError((f"--tenant {tenant!r} is none of {', '.join(sorted(tenants))}",))
    return {"tenant": tenant, "tenants": tenants}


def _bytes(place: str, connect: Callable[[], ObjectStore]) -> bytes:
    """The manifest as it stands. Raises `ManifestError`, and `TransientError` where the bucket can't be read."""
    if not place.startswith(_SCHEME):
        path = Path(place)
        if not path.is_file():
            raise ManifestError(("there is no such file",))
        _check_size(path.stat().st_size)
        return path.read_bytes()
    bucket, _, name = place.removeprefix(_SCHEME).partition("/")
    store = connect()
    stat = store.stat(bucket, name) if bucket and name else None
    if stat is None:
        raise ManifestError(("there is no such object",))
    _check_size(stat.size)
    stored = store.read(bucket, name)
    return b"" if stored is None else stored.data


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise ManifestError((f"{size} bytes, at most {MAX_BYTES}: make several manifests",))


def _exit(status: int) -> NoReturn:
    """At once: a thread that still works on a photo would hold the interpreter past the deadline."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _exit(main())
