"""The new revision behind the URL of its tag: it takes real pushes of Pub/Sub, and does real jobs in no time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.envelope import decode
from events.errors import TransientError
from events.messages import JobRequested, PubsubPush
from events.validation import decode_json
from jobs.desk import JobDesk
from jobs.processing import Processor
from tests.fakes import FakePublisher, InstantMattes
from tests.http_server import Answer, HttpServer
from tests.unit.examples import MODEL
from tests.unit.scene import BUCKETS, GPU, SECRET

if TYPE_CHECKING:
    from tests.fakes import FakeStore, SettableClock
    from tests.http_server import Asked

__all__ = ["Candidate"]


class Candidate(HttpServer):
    """`healthy` revisions do their jobs; others refuse them, so that they come again."""

    def __init__(self, store: FakeStore, clock: SettableClock, *, healthy: bool = True) -> None:
        super().__init__(self._answer)
        desk = JobDesk.over(store, FakePublisher(), BUCKETS, secret=SECRET, clock=clock)
        self.healthy = healthy
        self.done: list[str] = []
        self._processor = Processor(desk, InstantMattes(MODEL), billing=GPU, source="gpu_worker")

    def _answer(self, asked: Asked) -> Answer:
        if asked.path != "/jobs" or not self.healthy:
            return Answer(503)
        push = decode_json(asked.body, PubsubPush)
        event = decode(push.message.data, push.message.attributes, JobRequested)
        try:
            self._processor.process(event)
        except TransientError:
            return Answer(503)
        self.done.append(event.data.job_id)
        return Answer(204)
