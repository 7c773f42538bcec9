"""The new revision behind the URL of its tag: it takes real pushes of Pub/Sub, and does real jobs in no time."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Self

from events.envelope import decode
from events.errors import TransientError
from events.messages import JobRequested, PubsubPush
from events.validation import decode_json
from jobs.desk import JobDesk
from jobs.processing import Processor
from local.ports import LOOPBACK
from tests.fakes import FakePublisher, InstantMattes
from tests.unit.examples import MODEL
from tests.unit.scene import BUCKETS, GPU, SECRET

if TYPE_CHECKING:
    from types import TracebackType

    from tests.fakes import FakeStore, SettableClock

__all__ = ["Candidate"]


class Candidate:
    """Use as a context manager. `healthy` revisions do their jobs; others refuse them, so that they come again."""

    def __init__(self, store: FakeStore, clock: SettableClock, *, healthy: bool = True) -> None:
        desk = JobDesk.over(store, FakePublisher(), BUCKETS, secret=SECRET, clock=clock)
        self.healthy = healthy
        self.done: list[str] = []
        self._processor = Processor(desk, InstantMattes(MODEL), billing=GPU, source="gpu_worker")
        candidate = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(candidate.take(self.path, body))
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # http.server's word
                """Nobody reads it."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, path: str, body: bytes) -> int:
        """The status that answers a push."""
        if path != "/jobs" or not self.healthy:
            return 503
        push = decode_json(body, PubsubPush)
        event = decode(push.message.data, push.message.attributes, JobRequested)
        try:
            self._processor.process(event)
        except TransientError:
            return 503
        self.done.append(event.data.job_id)
        return 204
