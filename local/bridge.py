"""Eventarc's stand-in, a process of its own: pulls subscriptions and calls functions with CloudEvents.

`python -m local.bridge --project P --trigger KIND SUBSCRIPTION TOPIC URL ...`, with the emulator in
`PUBSUB_EMULATOR_HOST`. At least once: a 2xx acknowledges; anything else gives the message back, and it comes again
after the pause that its subscription's retry policy says. SIGTERM ends it once the calls under way are answered.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, Self

import httpx
from google.cloud.pubsub_v1 import SubscriberClient
from google.cloud.pubsub_v1.subscriber.scheduler import ThreadScheduler
from google.cloud.pubsub_v1.types import FlowControl

from cloud.logs import configure
from local.cloud_events import Message, gcs_finalized, message_published
from local.processes import Program
from local.topology import Trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from google.cloud.pubsub_v1.subscriber.futures import StreamingPullFuture
    from google.cloud.pubsub_v1.subscriber.message import Message as Received

    from local.cloud_events import EventRequest

__all__ = ["Bridge", "bridge"]

_LOG: Final = logging.getLogger(__name__)
_PARALLEL: Final = 8
_CALL_SECONDS: Final = 540.0
"""An event function's longest life."""
_LEASE_SECONDS: Final = 10
"""How soon what a killed bridge held comes again; the client extends it while a call runs."""
_DRAIN_SECONDS: Final = 5.0


def bridge(project: str, emulator: str, triggers: Iterable[Trigger], *, state: Path) -> Program:
    """The bridge as a supervised program. `state` is a folder for the file by which it says that it is ready."""
    ready = (state / "bridge.ready").absolute()
    ready.unlink(missing_ok=True)
    arguments: list[str] = []
    for each in triggers:
        arguments += ("--trigger", each.kind, each.subscription, each.topic, each.url)
    return Program(
        name="bridge",
        command=(sys.executable, "-m", "local.bridge", "--project", project, "--ready-file", ready, *arguments),
        environ={"PUBSUB_EMULATOR_HOST": emulator},
        cwd=Path(__file__).parent.parent,
        ready=ready.exists,
    )


class Bridge:
    """Use as a context manager: it delivers while it is open. At most `parallel` calls a trigger run at a time."""

    def __init__(
        self, project: str, triggers: Sequence[Trigger], *, parallel: int = _PARALLEL, on_end: Callable[[], None]
    ) -> None:
        self._project = project
        self._triggers = triggers
        self._parallel = parallel
        self._on_end = on_end
        self._functions = httpx.Client(
            timeout=_CALL_SECONDS,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            trust_env=False,
        )
        self._subscriber = SubscriberClient()
        self._pulls: list[StreamingPullFuture] = []

    def __enter__(self) -> Self:
        for trigger in self._triggers:
            pull = self._subscriber.subscribe(
                self._subscriber.subscription_path(self._project, trigger.subscription),
                callback=partial(self._deliver, trigger),
                flow_control=FlowControl(max_messages=self._parallel, max_duration_per_lease_extension=_LEASE_SECONDS),
                scheduler=ThreadScheduler(ThreadPoolExecutor(self._parallel)),
                await_callbacks_on_shutdown=True,
            )
            pull.add_done_callback(lambda _: self._on_end())
            self._pulls.append(pull)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pull in self._pulls:
            pull.cancel()
        deadline = time.monotonic() + _DRAIN_SECONDS
        for pull in self._pulls:
            try:
                pull.result(timeout=max(0.0, deadline - time.monotonic()))
            except FutureTimeoutError:
                _LOG.warning("calls_abandoned")
        self._subscriber.close()
        self._functions.close()

    def _deliver(self, trigger: Trigger, received: Received) -> None:
        started = time.monotonic()
        problem = self._call(trigger, received)
        fields = {
            "url": trigger.url,
            "message_id": received.message_id,
            "attempt": received.delivery_attempt,
            "seconds": round(time.monotonic() - started, 4),
        }
        if problem is None:
            received.ack()
            _LOG.info("delivered", extra=fields)
        else:
            received.nack()
            _LOG.warning("refused", extra={**fields, "problem": problem})

    def _call(self, trigger: Trigger, received: Received) -> str | None:
        """What went wrong, if something did."""
        try:
            request = self._request(trigger, received)
            response = self._functions.post(trigger.url, headers=request.headers, content=request.body)
        except Exception as error:  # noqa: BLE001  # whatever it is, the message must come again
            return repr(error)
        return None if response.is_success else f"status {response.status_code}"

    def _request(self, trigger: Trigger, received: Received) -> EventRequest:
        message = Message(
            id=received.message_id,
            data=received.data,
            attributes=dict(received.attributes),
            published_at=received.publish_time,
            attempt=received.delivery_attempt,
        )
        if trigger.kind == "finalized":
            return gcs_finalized(message)
        return message_published(message, project=self._project, topic=trigger.topic, subscription=trigger.subscription)


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT (0), or until a pull fails (1)."""
    parser = argparse.ArgumentParser(prog="python -m local.bridge", description=__doc__)
    parser.add_argument("--project", required=True)
    parser.add_argument(
        "--trigger", nargs=4, action="append", required=True, metavar=("KIND", "SUBSCRIPTION", "TOPIC", "URL")
    )
    parser.add_argument("--ready-file", type=Path, help="made once deliveries run")
    parser.add_argument("--parallel", type=int, default=_PARALLEL)
    options = parser.parse_args(arguments)
    try:
        triggers = [Trigger.parse(*each) for each in options.trigger]
    except ValueError as error:
        parser.error(str(error))
    configure("text")
    ends: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ends.put(0))
    with Bridge(options.project, triggers, parallel=options.parallel, on_end=lambda: ends.put(1)):
        if options.ready_file is not None:
            options.ready_file.touch()
        return ends.get()


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    sys.stdout.flush()
    # A call that is still under way would hold the interpreter; its message was not acknowledged, and comes again.
    os._exit(exit_code)
