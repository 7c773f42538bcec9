"""What became of each photo: kept while the work goes on, so that an attempt goes on where the last one was.

Entries are saved in parts, each written once, under a name that its content gives it. A part also tells the next
attempt, of however many tasks, which lines need no second look: those that became jobs. A task that has settled all of
its lines writes its report: its entries in the order of their lines, under a name that says what is in it.
"""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from events.messages import ResultFailed, Usd
from jobs.outcome import told_result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from events.errors import CutoutError
    from events.messages import Cache
    from gpu_worker.bulk.manifest import Photo
    from gpu_worker.bulk.share import Share
    from jobs.ports import ObjectStore
    from jobs.records import Outcome

__all__ = ["Entry", "Made", "Report", "entry_of", "refused"]

_TYPE: Final = "application/x-ndjson"
_READERS: Final = 8


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One result, in the order of the line's recipes. Width and height in pixels."""

    object: str
    width: int
    height: int
    bytes: int
    cache: Literal["hit", "matte", "miss"]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The end of one line: its results, or the code of a failure that will not pass."""

    line: int
    source: str
    tenant: str
    id: str | None = None
    job_id: str | None = None
    results: tuple[Made, ...] = ()
    code: str | None = None
    message: str | None = None
    usd: Usd = Decimal(0)

    @property
    def final(self) -> bool:
        """Whether the line became a job, whose end is recorded. Else another look may see something else."""
        return self.job_id is not None or self.code is None

    @property
    def cache(self) -> Cache | None:
        """The dearest answer that a result needed; None for a failure."""
        answers = {made.cache for made in self.results}
        return next((answer for answer in ("miss", "matte", "hit") if answer in answers), None)


def entry_of(photo: Photo, job_id: str, outcome: Outcome) -> Entry:
    """What a job's outcome means for its line."""
    result = told_result(outcome)
    usd = Decimal(outcome.nano_usd).scaleb(-9)
    entry = partial(Entry, line=photo.line, source=photo.source, tenant=photo.tenant, id=photo.id, job_id=job_id)
    if isinstance(result, ResultFailed):
        return entry(code=result.code, message=result.message, usd=usd)
    made = tuple(
        Made(
            object=f"gs://{one.object.bucket}/{one.object.name}",
            width=one.width,
            height=one.height,
            bytes=one.bytes,
            cache=one.cache,
        )
        for one in result.results
    )
    return entry(results=made, usd=usd)


def refused(photo: Photo, error: CutoutError) -> Entry:
    """A line that never became a job."""
    return Entry(
        line=photo.line,
        source=photo.source,
        tenant=photo.tenant,
        id=photo.id,
        code=error.code,
        message=error.message,
    )


class Report:
    """Thread-safe. `digest` is the manifest's; `bucket` that of the job records."""

    def __init__(self, store: ObjectStore, bucket: str, digest: str, share: Share) -> None:
        self._store = store
        self._bucket = bucket
        self._share = share
        self._prefix = f"~bulk/{digest}/"
        self._lock = threading.Lock()
        self._entries: dict[int, Entry] = {}
        self._unsaved: list[Entry] = []

    @property
    def folder(self) -> str:
        """Where the reports of all tasks will be."""
        return f"gs://{self._bucket}/{self._prefix}"

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that are known, in the order of their lines."""
        with self._lock:
            return tuple(self._entries[line] for line in sorted(self._entries))

    def recall(self, lines: Iterable[int]) -> None:
        """Read what earlier attempts saved, of these lines.

        Those that were refused are not recalled: the photo may be there by now, and to see that costs a look.
        """
        recall = partial(self._recall_part, frozenset(lines))
        names = [stat.name for stat in self._store.list(self._bucket, f"{self._prefix}parts/")]
        with ThreadPoolExecutor(_READERS, "recall") as readers:
            for _ in readers.map(recall, names):
                pass  # a part is read and decoded at once: only entries are kept

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries[entry.line] = entry
            self._unsaved.append(entry)

    def save(self) -> None:
        """Write what was added since the last time. Raises `TransientError`; then the next call writes it too."""
        with self._lock:
            pending = tuple(self._unsaved)
        if not pending:
            return
        data = msgspec.json.Encoder().encode_lines(pending)
        self._create(f"{self._prefix}parts/{hashlib.sha256(data).hexdigest()}.jsonl", data)
        with self._lock:
            del self._unsaved[: len(pending)]

    def finish(self) -> str:
        """Write the report of a task whose lines are all settled. Its URL: another one where an entry is another."""
        data = msgspec.json.Encoder().encode_lines(self.entries)
        digest = hashlib.sha256(data).hexdigest()[:8]
        name = f"{self._prefix}report-{self._share.task:05}-of-{self._share.tasks:05}-{digest}.jsonl"
        self._create(name, data)
        return f"gs://{self._bucket}/{name}"

    def _recall_part(self, wanted: frozenset[int], name: str) -> None:
        stored = self._store.read(self._bucket, name)
        decoded = [] if stored is None else msgspec.json.Decoder(Entry).decode_lines(stored.data)
        kept = {entry.line: entry for entry in decoded if entry.line in wanted and entry.final}
        with self._lock:
            self._entries |= kept

    def _create(self, name: str, data: bytes) -> None:
        self._store.create(self._bucket, name, data, content_type=_TYPE)
