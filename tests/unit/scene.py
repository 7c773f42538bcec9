"""One small world for a unit test: a store, a publisher, a clock, and what a job needs before it can start."""

from __future__ import annotations

import hashlib
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from cloudevents.http import CloudEvent
from PIL import Image

from events.envelope import decode
from events.ids import new_job_id
from events.messages import CostRecorded, JobRequested, ResultCompleted, Upload
from events.names import reference_prefix, upload_name
from events.recipe import Color, Recipe
from functions.jobs_access import open_job
from functions.on_upload import OnUpload
from imaging.limits import DEFAULT_LIMITS
from jobs.costs import Billing
from jobs.desk import JobDesk
from jobs.dispatch import Dispatch, Order
from jobs.meter import Meter
from jobs.outcome import JobRun
from jobs.places import Buckets
from jobs.processing import Processor
from jobs.telemetry import UNMEASURED, UNTRACED
from tests.fakes import FakePublisher, FakeSigner, FakeStore, Faults, InstantMattes, SettableClock
from tests.unit.examples import MODEL, TENANT, TRACEPARENT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from events.envelope import Event
    from events.messages import Cache
    from jobs.ports import Measures, ObjectStat, Tracer
    from jobs.processing import Ended, MatteSource

__all__ = ["BUCKETS", "GPU", "RECIPES", "SECRET", "Job", "Scene", "photo"]

BUCKETS: Final = Buckets(uploads="u-cutout", mattes="m-cutout", results="r-cutout", jobs="j-cutout", assets="a-cutout")
SECRET: Final = b"0" * 32
RECIPES: Final = (Recipe(), Recipe(background=Color(color="#ffffff"), format="jpg", max_side=16))
GPU: Final = Billing(kind="gpu", plan="instance", region="europe-west4", vcpus=8, gib=32, gpus=1)
FUNCTION: Final = Billing(kind="function", plan="function", region="europe-west4", vcpus=1, gib=1)


@cache
def photo(seed: int = 0) -> bytes:
    """A small PNG, another for every seed."""
    pixels = np.random.default_rng(seed).integers(100, 255, (24, 32, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


class Job(NamedTuple):
    """A job whose photo was uploaded."""

    job_id: str
    token: str
    stat: ObjectStat
    data: bytes
    recipes: tuple[Recipe, ...]
    tenant: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


class Scene:
    def __init__(self, *, tracer: Tracer = UNTRACED, measures: Measures = UNMEASURED) -> None:
        self.faults = Faults()
        self.store = FakeStore(self.faults)
        self.publisher = FakePublisher(self.faults)
        self.signer = FakeSigner()
        self.clock = SettableClock()
        self.desk = JobDesk.over(
            self.store,
            self.publisher,
            BUCKETS,
            secret=SECRET,
            clock=self.clock,
            tracer=tracer,
            measures=measures,
        )
        self.dispatch = Dispatch(self.desk, model=MODEL)
        self.meter = Meter(FUNCTION)
        self.jobs: list[Job] = []

    def upload(self, data: bytes | None = None, *, recipes: Sequence[Recipe] = RECIPES, tenant: str = TENANT) -> Job:
        """A new job, its first record, and the shopper's PUT."""
        data = photo() if data is None else data
        self.clock.advance(1)
        job_id = new_job_id(self.clock())
        token = open_job(self.desk.records, tenant=tenant, job_id=job_id, now=self.clock())
        bound = f"[{','.join(recipe.canonical().decode() for recipe in recipes)}]"
        stat = self.store.put(
            BUCKETS.uploads,
            upload_name(tenant, job_id),
            data,
            content_type="image/png",
            metadata={"recipes": bound, "traceparent": TRACEPARENT},
        )
        self.jobs.append(Job(job_id, token, stat, data, tuple(recipes), tenant))
        return self.jobs[-1]

    def finalized(self, job: Job, **changes: object) -> CloudEvent:
        """What Eventarc tells `on_upload`, as functions-framework hands it over."""
        data = {
            "bucket": BUCKETS.uploads,
            "name": job.stat.name,
            "generation": str(job.stat.generation),
            "size": str(job.stat.size),
            "timeCreated": self.clock().isoformat(),
            "contentType": job.stat.content_type,
            "metadata": dict(job.stat.metadata),
        }
        attributes = {
            "id": "1",
            "type": "google.cloud.storage.object.v1.finalized",
            "source": f"//storage.googleapis.com/projects/_/buckets/{BUCKETS.uploads}",
        }
        return CloudEvent.create(attributes, data | changes)

    def on_upload(self) -> OnUpload:
        """The function as a fresh process has it."""
        return OnUpload(self.desk, self.dispatch, limits=DEFAULT_LIMITS, meter=Meter(FUNCTION))

    def send(self, job: Job, *, recipes: tuple[Recipe, ...] | None = None) -> Cache:
        """Let the job be dispatched, as `on_upload` does once it knows the photo."""
        run = JobRun(job_id=job.job_id, tenant=job.tenant, run=0, source="on_upload", traceparent=TRACEPARENT)
        order = Order(
            upload=Upload(bucket=BUCKETS.uploads, name=job.stat.name, generation=job.stat.generation),
            sha256=job.sha256,
            recipes=recipes or job.recipes,
            requested_at=self.clock(),
        )
        with self.meter.measure() as spent:
            return self.dispatch.dispatch(run, order, spent=spent, timings={"check": 0.01}).cache

    def message(self, job: Job, topic: str = "jobs") -> Event[JobRequested]:
        """The message on `topic` that asks for this job's work."""
        [message] = [event for event in self.messages(topic) if event.data.job_id == job.job_id]
        return message

    def messages(self, topic: str) -> list[Event[JobRequested]]:
        """What was asked for on `topic`, repetitions left out."""
        return [decode(sent.data, sent.attributes, JobRequested) for sent in self.publisher.distinct(topic)]

    def queued(
        self, data: bytes | None = None, *, recipes: Sequence[Recipe] = RECIPES
    ) -> tuple[Job, Event[JobRequested]]:
        """A job that waits for a worker, and its message."""
        job = self.upload(data, recipes=recipes)
        assert self.send(job) == "miss"
        return job, self.message(job)

    def processor(
        self,
        mattes: MatteSource | None = None,
        *,
        billing: Billing = GPU,
        on_end: Callable[[Ended], None] = lambda _ended: None,
    ) -> Processor:
        """A worker as a fresh process has it."""
        return Processor(self.desk, mattes or InstantMattes(MODEL), billing=billing, source="gpu_worker", on_end=on_end)

    def run(self, data: bytes | None = None, *, recipes: Sequence[Recipe] = RECIPES) -> Job:
        """A job from upload to its end."""
        job = self.upload(data, recipes=recipes)
        self.on_upload()(self.finalized(job))
        self.work_off(job)
        return job

    def work_off(self, job: Job) -> None:
        """Let a worker do what was asked of it for this job, if anything."""
        for topic in ("jobs", "renders"):
            for message in self.messages(topic):
                if message.data.job_id == job.job_id:
                    self.processor().process(message)

    def completed(self, job: Job) -> ResultCompleted:
        """What the one completed event of the job says; fails where there are two, or two versions of one."""
        messages = [m for m in self.publisher.distinct("results") if m.attributes["ce-subject"].endswith(job.job_id)]
        assert len(messages) == 1
        return decode(messages[0].data, messages[0].attributes, ResultCompleted).data

    def costs(self, job: Job, *, kind: str = "gpu") -> list[CostRecorded]:
        """What the job's cost records of one kind say, each counted once."""
        events = [decode(m.data, m.attributes, CostRecorded).data for m in self.publisher.distinct("costs")]
        return [cost for cost in events if cost.job_id == job.job_id and cost.kind == kind]

    def records(self, job: Job) -> list[str]:
        prefix = f"{job.tenant}/{job.job_id}/"
        return [name.removeprefix(prefix) for name in self.store.names(BUCKETS.jobs) if name.startswith(prefix)]

    def spend(self, job: Job) -> list[int]:
        """What the ledger has of the job, in 10^-9 USD."""
        names = [name for name in self.store.names(BUCKETS.jobs) if name.startswith(f"~spend/{job.tenant}/")]
        return [int(name.rpartition("~")[2]) for name in names if job.job_id in name]

    def content(self, job: Job) -> str:
        return self.dispatch.content(job.tenant, job.sha256).content_id

    def damage_mattes(self) -> None:
        """What a bucket holds after a write that went wrong; the metadata is whole."""
        for name in self.store.names(BUCKETS.mattes):
            whole = self.store.peek(BUCKETS.mattes, name)
            assert whole is not None
            self.store.put(BUCKETS.mattes, name, whole.data[:50], metadata=whole.stat.metadata)

    def references(self, job: Job) -> list[str]:
        """Which jobs use the job's photo, and any notice of a removal."""
        prefix = reference_prefix(job.tenant, self.content(job))
        names = self.store.names(BUCKETS.jobs)
        return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]

    def computed(self, job: Job) -> list[str]:
        """Every matte and result of the job's photo."""
        prefix = f"{job.tenant}/{self.content(job)}/"
        buckets = (BUCKETS.mattes, BUCKETS.results)
        return [name for bucket in buckets for name in self.store.names(bucket) if name.startswith(prefix)]
