"""The worker as a service: its own process on real emulators of storage and Pub/Sub, given jobs over HTTP.

Nothing here imports what the worker imports (google-cloud, torch, OpenCV): a file that this process has mapped could
not be evicted from the page cache for a cold start.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

import httpx

from bench.children import ROOT, peak_bytes, resident_bytes
from events.envelope import job_event
from events.ids import new_job_id
from events.messages import JobRequested, Upload
from events.names import parse_upload_name, upload_name
from events.recipe import Recipe
from events.trace import new_traceparent
from local.fake_gcs import FakeGcs, create_buckets
from local.ports import LOOPBACK, free_ports
from local.processes import Program, Supervisor
from local.pubsub_emulator import pubsub_emulator

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from local.processes import Process

__all__ = ["CONCURRENCY", "Emulators", "Job", "Worker", "push"]

CONCURRENCY: Final = 2
"""Jobs that a worker does at once, as `local/` sets it on a CPU."""
_PROJECT: Final = "cutout-bench"
_BUCKETS: Final = ("uploads", "mattes", "results", "jobs")
_TOPICS: Final = ("uploads-finalized", "jobs", "results", "costs")
"""Without subscriptions: the emulator takes what is published, and keeps nothing."""
_START_SECONDS: Final = 120.0
_JOB_SECONDS: Final = 600.0
_POLL_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True)
class Job:
    """A photo in the uploads bucket, and the push that asks for its cutout."""

    tenant: str
    push: dict[str, Any]


class Emulators:
    """Storage and Pub/Sub, with their state in `folder`. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def worker(self, module: str, environ: Mapping[str, str]) -> Worker:
        """Launch `python -m MODULE`, a worker, with its settings and `environ`. It is not waited for."""
        [port] = free_ports(1)
        program = Program(
            name=f"{module}-{port}",
            command=(sys.executable, "-m", module),
            environ={**self._worker_environ(port), **environ},
            cwd=ROOT,
        )
        return Worker(self._supervisor, self._supervisor.launch(program), f"http://{LOOPBACK}:{port}")

    def submit(self, photo: Path, tenant: str) -> Job:
        """Upload a photo. The same photo of another tenant is another photo to the worker's cache."""
        data = photo.read_bytes()
        job_id = new_job_id(datetime.now(UTC))
        name = upload_name(tenant, job_id)
        created = self._storage.post("/upload/storage/v1/b/uploads/o", params=_media(name), content=data)
        created.raise_for_status()
        upload = Upload(bucket="uploads", name=name, generation=int(created.json()["generation"]))
        return Job(tenant, push(upload, data))

    def result(self, job: Job) -> bytes:
        """The one cutout of a job that is done."""
        [name] = self._names("results", f"{job.tenant}/")
        answer = self._storage.get(_path("results", name), params={"alt": "media"})
        answer.raise_for_status()
        return answer.content

    def forget(self, job: Job) -> None:
        """Delete everything of the job's tenant."""
        for bucket in _BUCKETS:
            for name in self._names(bucket, f"{job.tenant}/"):
                self._storage.delete(_path(bucket, name)).raise_for_status()

    def _start(self) -> None:
        self._supervisor = self._exits.enter_context(Supervisor(self._folder / "logs"))
        pubsub, storage = free_ports(2)
        self._pubsub = f"{LOOPBACK}:{pubsub}"
        self._supervisor.start(pubsub_emulator(os.environ, pubsub))
        for topic in _TOPICS:
            url = f"http://{self._pubsub}/v1/projects/{_PROJECT}/topics/{topic}"
            httpx.put(url, json={}, trust_env=False).raise_for_status()
        objects = self._folder / "objects"
        objects.mkdir(parents=True, exist_ok=True)
        server = FakeGcs(
            port=storage,
            objects=objects,
            pubsub=self._pubsub,
            project=_PROJECT,
            events_bucket="uploads",
            events_topic="uploads-finalized",
        )
        self._supervisor.start(server.program())
        create_buckets(server.url, _PROJECT, _BUCKETS)
        self._storage_url = server.url
        client = httpx.Client(base_url=server.url, timeout=_JOB_SECONDS, trust_env=False)
        self._storage = self._exits.enter_context(client)

    def _names(self, bucket: str, prefix: str) -> list[str]:
        answer = self._storage.get(f"/storage/v1/b/{bucket}/o", params={"prefix": prefix})
        answer.raise_for_status()
        return [item["name"] for item in answer.json().get("items", ())]

    def _worker_environ(self, port: int) -> dict[str, str]:
        return {
            "PYTHONPATH": str(ROOT),
            "PUBSUB_EMULATOR_HOST": self._pubsub,
            "STORAGE_EMULATOR_HOST": self._storage_url,
            "PROJECT": _PROJECT,
            "REGION": "local",
            **{f"{bucket.upper()}_BUCKET": bucket for bucket in _BUCKETS},
            "CONTENT_SECRET": base64.b64encode(secrets.token_bytes(32)).decode(),
            "HOST": LOOPBACK,
            "PORT": str(port),
            "DEVICE": "cpu",
            "CONCURRENCY": str(CONCURRENCY),
            "INSTANCE_VCPUS": str(os.cpu_count() or 1),
            "INSTANCE_GIB": "8",
            "INSTANCE_GPUS": "0",
        }


class Worker:
    """A worker's process. Use as a context manager; made by `Emulators.worker`."""

    def __init__(self, supervisor: Supervisor, process: Process, url: str) -> None:
        self._supervisor = supervisor
        self._process = process
        self._client = httpx.Client(base_url=url, timeout=_JOB_SECONDS, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self._supervisor.stop(self._process)

    @property
    def peak_bytes(self) -> int:
        return peak_bytes(self._process.pid)

    @property
    def resident_bytes(self) -> int:
        return resident_bytes(self._process.pid)

    def do(self, job: Job) -> None:
        """Return once the job is done and everything about it stored; its port may not be bound yet."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                answer = self._client.post("/jobs", json=job.push)
            except httpx.ConnectError:
                self._process.check()
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                answer.raise_for_status()
                return


def _media(name: str) -> dict[str, str]:
    return {"uploadType": "media", "name": name}


def _path(bucket: str, name: str) -> str:
    return f"/storage/v1/b/{bucket}/o/{name.replace('/', '%2F')}"


def push(upload: Upload, photo: bytes) -> dict[str, Any]:
    """What Pub/Sub delivers for an upload with this content: one transparent PNG is wanted."""
    tenant, job_id = parse_upload_name(upload.name)
    now = datetime.now(UTC)
    requested = JobRequested(
        job_id=job_id,
        tenant=tenant,
        upload=upload,
        sha256=hashlib.sha256(photo).hexdigest(),
        recipes=(Recipe(),),
        model="bench",
        lane="gpu",
        requested_at=now,
    )
    event = job_event(
        requested,
        tenant=tenant,
        job_id=job_id,
        part="",
        run=0,
        source="bench",
        time=now,
        traceparent=new_traceparent(),
    )
    message = event.outgoing("jobs")
    return {
        "message": {
            "data": base64.b64encode(message.data.encode()).decode(),
            "attributes": message.attributes,
            "messageId": job_id,
            "publishTime": now.isoformat(),
        },
        "subscription": f"projects/{_PROJECT}/subscriptions/jobs-worker",
    }
