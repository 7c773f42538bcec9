"""One job from message to outcome, as the worker and `render` do it; they differ only in where a matte comes from.

The order makes a crash at any line harmless: matte (with its cost in the metadata), results, `done.json` (the whole
outcome), events, acknowledgement. Every write is create-only, so a second delivery goes on from what exists.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from events.errors import AssetUnusableError, ContentMismatchError, NoForegroundError, PermanentError
from events.ids import content_id
from events.messages import ResultFailed
from imaging.decode import decode
from imaging.decoding import Decoding
from imaging.foreground import estimate_foreground
from imaging.limits import DEFAULT_LIMITS
from imaging.matte import confidence, decode_matte, encode_matte, has_foreground
from imaging.render import Renderer
from jobs.busy import BusyClock
from jobs.cache import Content, confidence_of, look_up, overall_cache, result_of, result_status
from jobs.costs import usage_from_metadata, usage_to_metadata
from jobs.outcome import JobRun, Spent, completed, failed, told_result
from jobs.ports import ObjectStat
from jobs.recent import Recent
from jobs.single_flight import SingleFlight
from jobs.timing import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from events.envelope import Event
    from events.messages import Cache, JobRequested, Result, ResultCompleted
    from events.prices import Usage
    from events.recipe import Recipe
    from imaging.limits import Limits
    from imaging.photo import Photo
    from imaging.render import ForegroundEstimator
    from jobs.busy import Share
    from jobs.cache import Found
    from jobs.costs import Billing
    from jobs.desk import JobDesk
    from jobs.ports import Span
    from jobs.records import Outcome

__all__ = ["ComputedMatte", "Ended", "MatteSource", "Pixels", "Processor"]

_LOG: Final = logging.getLogger(__name__)
_NO_FOREGROUND: Final = "nothing in this photo stands out from its background"


class Ended(NamedTuple):
    """How a job ended, for whoever watches: what was told, seconds by stage, the batch its matte came from."""

    job: JobRequested
    result: ResultCompleted | ResultFailed
    stages: dict[str, float]
    batch_size: int | None


def _nobody(_ended: Ended) -> None:
    """The observer of a process that watches nothing."""


class ComputedMatte(NamedTuple):
    """`alpha` is (H, W) uint8 at the photo's size; `batch_size` photos went through the network together."""

    alpha: NDArray[np.uint8]
    batch_size: int


class Pixels(Protocol):
    """A photo that is decoded as far as somebody asks for it; both methods raise a `PermanentError` for a bad one."""

    def reduced(self, least: int) -> Photo:
        """The photo with sides of at least `least` px, maybe smaller than it is."""

    def whole(self) -> Photo:
        """The photo as it is."""


class MatteSource(Protocol):
    """Where the matte of a photo comes from when none is stored."""

    @property
    def model(self) -> str:
        """Names the mattes that this source makes."""

    def compute(self, pixels: Pixels, job: JobRequested, *, alone: bool, watch: Stopwatch) -> ComputedMatte:
        """Raises a `CutoutError`. `alone` keeps the photo out of batches: it may be what broke an earlier one."""

    def cold_start(self, job: JobRequested) -> bool:
        """Whether this job waited for the process to start."""


class _Matte(NamedTuple):
    alpha: NDArray[np.uint8]
    metadata: Mapping[str, str]


@dataclass(slots=True)
class _Attempt:
    """What one attempt at a job has come to know."""

    event: Event[JobRequested]
    run: JobRun
    content: Content
    share: Share
    alone: bool
    watch: Stopwatch
    earlier: Usage | None = None
    batch_size: int | None = None
    megapixels: float | None = None

    @property
    def job(self) -> JobRequested:
        return self.event.data

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """What is to be made: a recipe that was asked for twice once."""
        return tuple(dict.fromkeys(self.job.recipes))


class Processor:
    """Does jobs; thread-safe. `source` names the component in the events that it sends.

    `estimate` gives a photo's foreground colours, (height, width, 3) each, from its pixels and its matte.
    """

    def __init__(
        self,
        desk: JobDesk,
        mattes: MatteSource,
        *,
        billing: Billing,
        source: str,
        limits: Limits = DEFAULT_LIMITS,
        on_end: Callable[[Ended], None] = _nobody,
        estimate: ForegroundEstimator = estimate_foreground,
    ) -> None:
        self._desk = desk
        self._mattes = mattes
        self._billing = billing
        self._busy = BusyClock()
        self._source = source
        self._limits = limits
        self._on_end = on_end
        self._estimate = estimate
        self._jobs: SingleFlight[None] = SingleFlight()
        self._computing: SingleFlight[_Matte] = SingleFlight()
        self._computed = Recent()

    def process(self, event: Event[JobRequested], *, attempt: int = 1) -> None:
        """Return once everything about the job is durable and told; a permanent failure is such an end too.

        Whatever is raised means: deliver the message again later.
        """
        job = event.data
        self._jobs.do((job.tenant, job.job_id, job.run), lambda: self._traced(event, attempt))

    def _traced(self, event: Event[JobRequested], attempt: int) -> None:
        job = event.data
        with self._desk.tracer.span(
            self._source,
            parent=event.traceparent,
            kind="consumer",
            job_id=job.job_id,
            tenant=job.tenant,
            run=job.run,
            attempt=attempt,
            lane=job.lane,
            model=self._mattes.model,
        ) as span:
            self._process(event, attempt, span)

    def _process(self, event: Event[JobRequested], attempt: int, span: Span) -> None:
        job = event.data
        run = JobRun(
            job_id=job.job_id,
            tenant=job.tenant,
            run=job.run,
            source=self._source,
            traceparent=span.traceparent,
        )
        state = self._desk.records.state(run.tenant, run.job_id)
        ended = self._desk.settlement.retell(run, state)
        if state.state == "deleted":
            self._desk.removal.remove(run.tenant, run.job_id)
        if ended or state.state == "deleted":
            return
        content = Content(
            tenant=job.tenant,
            content_id=content_id(self._desk.secret, job.tenant, job.sha256),
            model=self._mattes.model,
        )
        with self._busy.share() as share:
            watch = Stopwatch(tracer=self._desk.tracer, parent=span.traceparent)
            work = _Attempt(event=event, run=run, content=content, share=share, alone=attempt > 1, watch=watch)
            self._count_waiting(work)
            try:
                outcome, settle = self._completed(work), self._desk.settlement.complete
            except PermanentError as error:
                outcome = failed(run, error, at=self._desk.clock(), model=content.model, spent=self._spent(work))
                settle = self._desk.settlement.fail
            if self._desk.records.deleted(run.tenant, run.job_id):
                # Taken back in the middle of the work, which cost what it cost.
                self._desk.settlement.charge(run, outcome)
                told = None
            else:
                told = settle(run, outcome)
            if told is None:
                self._desk.removal.remove(run.tenant, run.job_id)
            else:
                self._tell_observer(work, told, span)

    def _count_waiting(self, work: _Attempt) -> None:
        for stage, seconds in work.job.timings.items():
            work.watch.add(stage, seconds)
        work.watch.add("queue", (self._desk.clock() - work.event.time).total_seconds())

    def _completed(self, work: _Attempt) -> Outcome:
        """Make what is missing. Raises a `PermanentError` for a job that can't be done."""
        with work.watch.stage("lookup"):
            found = look_up(self._desk.store, self._desk.buckets, work.content, work.recipes)
        results = self._all_stored(work, found) or self._make(work, found)
        made = {result.recipe: result for result in results.results}
        return completed(
            work.run,
            at=self._desk.clock(),
            results=tuple(made[recipe] for recipe in work.job.recipes),
            model=work.content.model,
            lane=work.job.lane,
            confidence=results.confidence,
            timings=work.watch.seconds,
            requested_at=work.job.requested_at,
            spent=self._spent(work),
        )

    def _tell_observer(self, work: _Attempt, outcome: Outcome, span: Span) -> None:
        ended = Ended(work.job, told_result(outcome), work.watch.seconds, work.batch_size)
        fields = {"job_id": work.run.job_id, "tenant": work.run.tenant, "run": work.run.run, "lane": work.job.lane}
        code = ended.result.code if isinstance(ended.result, ResultFailed) else "completed"
        span.set(outcome=code, batch_size=work.batch_size)
        if not isinstance(ended.result, ResultFailed):
            self._measure(ended.result, span, speculative=work.job.speculative)
        trace = {"traceparent": work.run.traceparent}
        _LOG.info("job_ended", extra=fields | trace | {"outcome": code, "stages": ended.stages})
        try:
            self._on_end(ended)
        except Exception:  # noqa: BLE001  # a failing observer never fails a job
            _LOG.exception("observer_failed", extra={"job_id": work.run.job_id})

    def _measure(self, result: ResultCompleted, span: Span, *, speculative: bool) -> None:
        cache = overall_cache(result.results)
        span.set(cache=cache, cold_start=result.cold_start)
        if not speculative:  # nobody waited for it
            seconds = (result.completed_at - result.requested_at).total_seconds()
            self._desk.measures.retrieved(cache, seconds, float(result.cost_usd))

    def _all_stored(self, work: _Attempt, found: Found) -> _Results | None:
        """The results of an attempt that died between its last result and `done.json`, or of another job."""
        if len(found.results) < len(work.recipes):
            return None
        stored = tuple(self._stored(work, recipe, found.results[recipe]) for recipe in work.recipes)
        if any(result.cache == "miss" for result in stored):
            matte = self._desk.store.stat(self._desk.buckets.mattes, work.content.matte)
            self._own_matte(work, {} if matte is None else matte.metadata)
        return _Results(stored, confidence_of(list(found.results.values())))

    def _make(self, work: _Attempt, found: Found) -> _Results:
        self._desk.assets.check(work.run.tenant, (recipe for recipe in work.recipes if recipe not in found.results))
        with work.watch.stage("download"):
            data = self._download(work.job)
        decoding = Decoding(data, self._limits)
        matte = self._computing.do(work.content.matte, lambda: self._matte(work, decoding, found))
        with work.watch.stage("decode"):
            photo = decoding.whole()
        work.megapixels = round(photo.width * photo.height / 1e6, 3)
        own = self._own_matte(work, matte.metadata)
        if not has_foreground(matte.alpha):
            raise NoForegroundError(_NO_FOREGROUND)
        sureness = confidence(matte.alpha)
        renderer = Renderer(photo, matte.alpha, lambda asset: self._picture(work, asset), estimate=self._estimate)
        results = tuple(
            self._result(work, recipe, found, renderer, cache="miss" if own else "matte", confidence=sureness)
            for recipe in work.recipes
        )
        return _Results(results, sureness)

    def _own_matte(self, work: _Attempt, metadata: Mapping[str, str]) -> bool:
        """Whether this job computed the matte; if an earlier attempt at this run did, its cost is taken over."""
        if metadata.get("job-id") != work.run.job_id:
            return False
        if work.batch_size is None and metadata.get("run") == str(work.run.run):
            work.earlier = usage_from_metadata(metadata)
            work.batch_size = int(metadata.get("batch-size", "1"))
        return True

    def _download(self, job: JobRequested) -> bytes:
        data = bytearray()
        upload = job.upload
        for chunk in self._desk.store.stream(upload.bucket, upload.name, generation=upload.generation):
            data += chunk
            self._limits.check_bytes(len(data))
        if hashlib.sha256(data).hexdigest() != job.sha256:
            raise ContentMismatchError("the upload's bytes are not those that the job was made for")
        return bytes(data)

    def _picture(self, work: _Attempt, asset: str) -> Photo:
        """An image of the tenant's, read again for each recipe: as pixels, several would need too much memory."""
        data = self._desk.assets.read(work.run.tenant, asset)
        try:
            return decode(data, self._limits)
        except PermanentError as error:
            raise AssetUnusableError(f"asset {asset}: {error.message}", asset=asset, cause=error.code) from error

    def _matte(self, work: _Attempt, pixels: Pixels, found: Found) -> _Matte:
        """The stored matte, or a new one, which is stored before anybody uses it."""
        store, bucket, name = self._desk.store, self._desk.buckets.mattes, work.content.matte
        # Another job of this process may have ended its computation between this one's look-up and now.
        looked_for = found.matte is not None or name in self._computed
        stored = self._stored_matte(work) if looked_for else None
        if stored is not None:
            return stored
        made = self._mattes.compute(pixels, work.job, alone=work.alone, watch=work.watch)
        work.batch_size = made.batch_size
        metadata = {
            "job-id": work.run.job_id,
            "run": str(work.run.run),
            "batch-size": str(made.batch_size),
            "computed-at": self._desk.clock().isoformat(),
            **usage_to_metadata(self._billing.usage(work.share.seconds)),
        }
        with work.watch.stage("store_matte"):
            data = encode_matte(made.alpha)
            store.create(bucket, name, data, content_type="image/png", metadata=metadata)
        self._computed.add(name)
        return _Matte(made.alpha, metadata)

    def _stored_matte(self, work: _Attempt) -> _Matte | None:
        """None if it is gone, or can't be read: then it makes room for a new one, as no job could use it."""
        store, bucket, name = self._desk.store, self._desk.buckets.mattes, work.content.matte
        with work.watch.stage("download"):
            stored = store.read(bucket, name)
        if stored is None:
            return None
        try:
            return _Matte(decode_matte(stored.data), stored.stat.metadata)
        except PermanentError as error:
            _LOG.error("matte_unreadable", extra={"job_id": work.run.job_id, "matte": name, "error": error.message})
            store.delete(bucket, name, generation=stored.stat.generation)
            return None

    def _result(
        self, work: _Attempt, recipe: Recipe, found: Found, renderer: Renderer, *, cache: Cache, confidence: float
    ) -> Result:
        if recipe in found.results:
            return self._stored(work, recipe, found.results[recipe])
        with work.watch.stage("render"):
            rendering = renderer.render(recipe)
        metadata = {
            "job-id": work.run.job_id,
            "cache": cache,
            "confidence": repr(round(confidence, 6)),
            "width": str(rendering.width),
            "height": str(rendering.height),
        }
        name = work.content.result(recipe)
        bucket = self._desk.buckets.results
        with work.watch.stage("store_results"):
            created = self._desk.store.create(
                bucket, name, rendering.data, content_type=rendering.content_type, metadata=metadata
            )
            existing = None if created else self._desk.store.stat(bucket, name)
        stat = existing or ObjectStat(
            name=name,
            size=len(rendering.data),
            generation=0,
            content_type=rendering.content_type,
            metadata=metadata,
        )
        return result_of(recipe, bucket, stat, cache)

    def _stored(self, work: _Attempt, recipe: Recipe, stat: ObjectStat) -> Result:
        return result_of(recipe, self._desk.buckets.results, stat, result_status(stat, work.run.job_id))

    def _spent(self, work: _Attempt) -> Spent:
        usage = self._billing.usage(work.share.seconds)
        return Spent(
            usage=usage if work.earlier is None else usage + work.earlier,
            billing=self._billing,
            lane=work.job.lane,
            speculative=work.job.speculative,
            batch_size=work.batch_size,
            cold_start=self._mattes.cold_start(work.job),
            megapixels=work.megapixels,
        )


class _Results(NamedTuple):
    results: tuple[Result, ...]
    confidence: float
