"""One task of a job for a catalogue, from its manifest to its report."""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from events.errors import TransientError
from gpu_worker.bulk.crew import Crew
from gpu_worker.bulk.desk import bulk_desk
from gpu_worker.bulk.progress import Progress
from gpu_worker.bulk.report import Report
from gpu_worker.bulk.settling import SOURCE, Settling
from gpu_worker.mattes import NetworkMattes
from gpu_worker.start import foreground_on
from jobs.processing import Processor
from jobs.telemetry import UNTRACED

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_worker.bulk.manifest import Manifest, Photo
    from gpu_worker.bulk.share import Share
    from gpu_worker.engines import Engine
    from gpu_worker.settings import Settings
    from gpu_worker.start import Ports
    from jobs.metrics import JobMetrics
    from jobs.ports import Tracer

__all__ = ["DONE", "UNFINISHED", "BulkTask"]

_LOG: Final = logging.getLogger(__name__)
DONE: Final = 0
UNFINISHED: Final = 1
"""Exit status: another attempt has something to do."""
_PATIENCE: Final = 8.0
"""Seconds for the photos in hand once the task is told to end: Cloud Run sends SIGKILL 10 s after SIGTERM."""


class _Network(NamedTuple):
    mattes: NetworkMattes
    settling: Settling


class BulkTask:
    """`load` gives the network of the manifest's model, and is called only where a photo is left to be looked at."""

    def __init__(
        self,
        manifest: Manifest,
        share: Share,
        settings: Settings,
        ports: Ports,
        load: Callable[[], Engine],
        *,
        metrics: JobMetrics,
        tracer: Tracer = UNTRACED,
        interval: float = 10.0,
        began: float | None = None,
    ) -> None:
        """`interval`: seconds between two lines of progress. `began`: when the process did, by `time.monotonic`."""
        self._manifest = manifest
        self._settings = settings
        self._load = load
        self._metrics = metrics
        self._interval = interval
        self._began = time.monotonic() if began is None else began
        store, publisher = ports
        self._desk = bulk_desk(store, publisher, settings.buckets, secret=settings.content_secret, tracer=tracer)
        self._share = share
        self._report = Report(store, settings.buckets.jobs, manifest.digest, share)
        self._photos = tuple(photo for photo in manifest.photos if share.has(photo))
        self._recalled = 0
        self._stopped = False
        self._crew: Crew | None = None

    def stop(self) -> None:
        """Finish the photos in hand, and no more. May be called from a signal handler."""
        self._stopped = True
        if self._crew is not None:
            self._crew.stop()

    def run(self) -> int:
        """The exit status. Raises a `CutoutError` where the task can't start."""
        left = self._left()
        _LOG.info(
            "bulk_started",
            extra=self._share._asdict()
            | {"photos": len(self._photos), "recalled": self._recalled, "reports": self._report.folder},
        )
        if left:
            self._work(left)
        settled = len(self._report.entries)
        finished = settled == len(self._photos)
        fields = self.progress().fields() | {"report": self._report.finish() if finished else None}
        _LOG.info("bulk_ended" if finished else "bulk_unfinished", extra=fields)
        return DONE if finished else UNFINISHED

    def progress(self) -> Progress:
        return Progress.of(
            self._report.entries,
            total=len(self._photos),
            recalled=self._recalled,
            seconds=time.monotonic() - self._began,
            billing=self._settings.billing(),
        )

    def _left(self) -> tuple[Photo, ...]:
        """What no earlier attempt has settled, in the order of lines.

        From the second attempt on in another order each time: photos that fail one after the other made the last
        attempt give up, and those behind them must get their turn.
        """
        self._report.recall(photo.line for photo in self._photos)
        settled = {entry.line for entry in self._report.entries}
        self._recalled = len(settled)
        left = [photo for photo in self._photos if photo.line not in settled]
        if self._share.attempt:
            random.Random(self._share.attempt).shuffle(left)  # noqa: S311  # no secret
        return tuple(left)

    def _work(self, photos: tuple[Photo, ...]) -> None:
        network = self._start()
        crew = Crew(
            lambda photo, attempt: network.settling.settle(photo, attempt=attempt),
            self._report.add,
            threads=2 * self._settings.concurrency,
        )
        self._crew = crew
        try:
            if not self._stopped:  # while the network was loaded
                crew.work(photos, interval=self._interval, tell=self._tell, patience=_PATIENCE)
        finally:
            self._save()
            if crew.idle:
                network.mattes.close()

    def _start(self) -> _Network:
        engine = self._load()
        mattes = NetworkMattes(engine, self._desk.clock, window=self._settings.batch_window, tracer=self._desk.tracer)
        seconds = mattes.warm_up()
        _LOG.info(
            "network_ready", extra={"network": engine.name, "model": engine.model, "warm_pass": round(seconds, 3)}
        )
        billing = self._settings.billing()
        processor = Processor(
            self._desk,
            mattes,
            billing=billing,
            source=SOURCE,
            on_end=self._metrics.job_ended,
            estimate=foreground_on(engine.device),
        )
        return _Network(mattes, Settling(self._manifest, self._desk, processor, model=engine.model, billing=billing))

    def _tell(self) -> None:
        self._save()
        _LOG.info("bulk_progress", extra=self.progress().fields())

    def _save(self) -> None:
        """What can't be saved now is saved with the next part, and else found again by its record."""
        try:
            self._report.save()
        except TransientError as error:
            _LOG.warning("report_not_saved", extra={"reason": error.message})
