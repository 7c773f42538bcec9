"""In-memory stand-ins for what `jobs.ports` asks for, with a knob that lets any operation fail."""

from __future__ import annotations

import itertools
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, urlencode

import msgspec
import numpy as np

from events.envelope import Outgoing, decode
from events.errors import UploadMissingError
from jobs.ports import ObjectStat, StoredObject
from jobs.processing import ComputedMatte

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import NoReturn

    from numpy.typing import NDArray

    from events.envelope import Event
    from events.messages import JobRequested, Message
    from imaging.photo import Photo
    from jobs.processing import Pixels
    from jobs.timing import Stopwatch

__all__ = [
    "BlindMattes",
    "Crash",
    "FakeEngine",
    "FakePublisher",
    "FakeSigner",
    "FakeStore",
    "Faults",
    "InstantMattes",
    "SettableClock",
    "SignedUrl",
]

_CHUNK: Final = 1000
"""Small, so that most test photos arrive in several chunks."""


class Crash(BaseException):
    """The process dies here. No `except Exception` may survive it."""


class _Fault(NamedTuple):
    at: int
    action: Callable[[], object]
    after: bool


class Faults:
    """Counts the operations of everything that shares it, and lets something happen at one of them, once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: _Fault | None = None
        self.operations: list[str] = []

    def arm(self, nth: int, action: BaseException | Callable[[], object], *, after: bool = False) -> None:
        """Raise or call `action` before the `nth` operation from now, or `after` it: only its answer is lost."""
        call = partial(_throw, action) if isinstance(action, BaseException) else action
        with self._lock:
            self._armed = _Fault(len(self.operations) + nth, call, after)

    @contextmanager
    def operation(self, name: str) -> Iterator[None]:
        with self._lock:
            self.operations.append(name)
            fault = self._armed
            if fault is not None and fault.at == len(self.operations):
                self._armed = None
            else:
                fault = None
        if fault is not None and not fault.after:
            fault.action()
        yield
        if fault is not None and fault.after:
            fault.action()


def _throw(error: BaseException) -> NoReturn:
    raise error


class FakeStore:
    """`jobs.ports.ObjectStore` in memory: generations, create-only writes, listings in name order. Thread-safe."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self._lock = threading.Lock()
        self._objects: dict[str, dict[str, StoredObject]] = {}
        self._generations = itertools.count(1_700_000_000_000_000)

    def read(self, bucket: str, name: str) -> StoredObject | None:
        with self.faults.operation(f"read {bucket}/{name}"):
            return self.peek(bucket, name)

    def stream(self, bucket: str, name: str, *, generation: int) -> Iterator[bytes]:
        with self.faults.operation(f"stream {bucket}/{name}"):
            stored = self.peek(bucket, name)
        if stored is None or stored.stat.generation != generation:
            raise UploadMissingError(f"no such generation of {bucket}/{name}", generation=generation)
        for start in range(0, len(stored.data), _CHUNK):
            yield stored.data[start : start + _CHUNK]

    def stat(self, bucket: str, name: str) -> ObjectStat | None:
        with self.faults.operation(f"stat {bucket}/{name}"):
            stored = self.peek(bucket, name)
            return None if stored is None else stored.stat

    def list(
        self,
        bucket: str,
        prefix: str,
        *,
        start_offset: str | None = None,
        end_offset: str | None = None,
        most: int | None = None,
    ) -> list[ObjectStat]:
        with self.faults.operation(f"list {bucket}/{prefix}"):
            return [
                self._objects[bucket][name].stat
                for name in self.names(bucket)
                if name.startswith(prefix) and name >= (start_offset or "")
                if end_offset is None or name < end_offset
            ][:most]

    def create(
        self, bucket: str, name: str, data: bytes, *, content_type: str, metadata: Mapping[str, str] | None = None
    ) -> bool:
        with self.faults.operation(f"create {bucket}/{name}"), self._lock:
            if name in self._objects.get(bucket, {}):
                return False
            self._write(bucket, name, data, content_type, metadata or {})
            return True

    def delete(self, bucket: str, name: str, *, generation: int | None = None) -> None:
        with self.faults.operation(f"delete {bucket}/{name}"), self._lock:
            stored = self._objects.get(bucket, {}).get(name)
            if stored is not None and generation in (None, stored.stat.generation):
                del self._objects[bucket][name]

    def put(
        self, bucket: str, name: str, data: bytes, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> ObjectStat:
        """Write as a shopper's PUT does, or whoever else: over what is there, and not one of the counted operations."""
        with self._lock:
            return self._write(bucket, name, data, content_type, metadata or {})

    def peek(self, bucket: str, name: str) -> StoredObject | None:
        """The object, not counted as an operation."""
        with self._lock:
            return self._objects.get(bucket, {}).get(name)

    def names(self, bucket: str) -> tuple[str, ...]:
        """What the bucket holds, in name order, not counted as an operation."""
        with self._lock:
            return tuple(sorted(self._objects.get(bucket, {}), key=str.encode))

    def _write(self, bucket: str, name: str, data: bytes, content_type: str, metadata: Mapping[str, str]) -> ObjectStat:
        stat = ObjectStat(name, len(data), next(self._generations), content_type, dict(metadata))
        self._objects.setdefault(bucket, {})[name] = StoredObject(stat, bytes(data))
        return stat


class FakePublisher:
    """`jobs.ports.Publisher` that keeps what it is given, in order. Thread-safe."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.messages: list[Outgoing] = []

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        with self.faults.operation(f"publish {topic}"):
            self.messages.append(Outgoing(topic=topic, attributes=dict(attributes), data=data.decode()))

    def on(self, topic: str) -> list[Outgoing]:
        return [message for message in self.messages if message.topic == topic]

    def events(self, topic: str) -> list[Event[Message]]:
        return [decode(message.data, message.attributes) for message in self.on(topic)]

    def distinct(self, topic: str) -> list[Outgoing]:
        """One message of each event id, as a subscriber keeps them. Fails where two of one id are not the same."""
        first: dict[str, Outgoing] = {}
        for message in self.on(topic):
            kept = first.setdefault(message.attributes["ce-id"], message)
            assert msgspec.json.encode(kept) == msgspec.json.encode(message)
        return list(first.values())


class SignedUrl(NamedTuple):
    method: str
    bucket: str
    name: str
    expires_in: timedelta
    headers: Mapping[str, str]
    filename: str


class FakeSigner:
    """`jobs.ports.UrlSigner` that keeps what it was asked to sign."""

    def __init__(self) -> None:
        self.signed: list[SignedUrl] = []

    def put_url(self, bucket: str, name: str, *, expires_in: timedelta, headers: Mapping[str, str]) -> str:
        return self._url(SignedUrl("PUT", bucket, name, expires_in, dict(headers), ""))

    def get_url(self, bucket: str, name: str, *, expires_in: timedelta, filename: str) -> str:
        return self._url(SignedUrl("GET", bucket, name, expires_in, {}, filename))

    def _url(self, signed: SignedUrl) -> str:
        self.signed.append(signed)
        query = urlencode({"method": signed.method, "expires": int(signed.expires_in.total_seconds())})
        return f"https://storage.test/{quote(signed.bucket)}/{quote(signed.name)}?{query}"


class SettableClock:
    """`jobs.ports.Clock`, and a `sleep` that takes no time but moves the clock."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
        self.on_sleep: Callable[[], None] = lambda: None
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        self.on_sleep()


class Decoded(NamedTuple):
    """`jobs.processing.Pixels` of a photo that is decoded already, and of a smaller one for those who ask."""

    photo: Photo
    smaller: Photo | None = None

    def reduced(self, least: int) -> Photo:
        smaller = self.smaller
        return smaller if smaller is not None and min(smaller.width, smaller.height) >= least else self.photo

    def whole(self) -> Photo:
        return self.photo


class InstantMattes:
    """`jobs.processing.MatteSource` that takes no time: the inner half of every photo is its subject.

    `during` is called in the middle of every computation, and may raise.
    """

    def __init__(self, model: str, during: Callable[[JobRequested], object] | None = None) -> None:
        self.model = model
        self.cold = False
        self.computed: list[str] = []
        self.alone: list[bool] = []
        self._during = during or (lambda _job: None)

    def compute(self, pixels: Pixels, job: JobRequested, *, alone: bool, watch: Stopwatch) -> ComputedMatte:
        self.computed.append(job.job_id)
        self.alone.append(alone)
        with watch.stage("network"):
            self._during(job)
        return ComputedMatte(self.alpha(pixels.whole()), 1)

    def alpha(self, photo: Photo) -> NDArray[np.uint8]:
        alpha = np.zeros((photo.height, photo.width), np.uint8)
        alpha[photo.height // 4 : -(photo.height // 4), photo.width // 4 : -(photo.width // 4)] = 255
        return alpha

    def cold_start(self, job: JobRequested) -> bool:
        return self.cold


class BlindMattes(InstantMattes):
    """Sees nothing in any photo."""

    def alpha(self, photo: Photo) -> NDArray[np.uint8]:
        return np.zeros((photo.height, photo.width), np.uint8)


class FakeEngine:
    """`gpu_worker.engines.Engine`: the brighter a photo, the larger its matte's alpha; black is poison to it.

    While `gate` is closed the network is busy; while `broken` it fails on everything.
    """

    name = "fake"
    device = "cpu"
    side = 2

    def __init__(self, model: str = "fake-000000000000-fp32-p1", *, largest_batch: int = 4) -> None:
        self.model = model
        self.largest_batch = largest_batch
        self.broken = False
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[int] = []

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.full((3, 2, 2), rgb.mean() / 255, np.float32)

    def probe(self) -> NDArray[np.float32]:
        return np.full((3, 2, 2), 0.5, np.float32)

    def infer(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        self.batches.append(len(inputs))
        assert self.gate.wait(10)
        if self.broken:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if any(float(value.max()) == 0 for value in inputs):
            raise ValueError("poison")
        return [value[0] for value in inputs]

    def finish(self, matte: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
        return np.full((height, width), round(255 * float(matte.mean())), np.uint8)
