"""Jobs that ended, receivers that listen, and the three functions in between."""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
from cloudevents.http import CloudEvent

from cloud.breaker import Breakers
from events.envelope import decode
from events.errors import TransientError
from events.messages import DeliveryRequested
from functions.deliver import Deliver
from functions.notify import Notify
from functions.sweep_deliveries import SweepDeliveries
from jobs.outcome import JobRun, failed
from jobs.refusals import Refusals
from tests.fakes import Crash
from tests.unit.examples import TENANT, TRACEPARENT
from tests.unit.scene import BUCKETS, Scene
from webhooks.guarded import GuardedSender
from webhooks.links import LinkLives, Links
from webhooks.parking import Parking
from webhooks.ports import Answer
from webhooks.retries import RetryPolicy
from webhooks.subscriptions import Receiver, Subscriptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from events.envelope import Event, Outgoing
    from events.errors import CutoutError
    from tests.fakes import Faults
    from tests.unit.scene import Job
    from webhooks.ports import Post

__all__ = ["POLICY", "ScriptedSender", "World", "receiver", "secret"]

POLICY: Final = RetryPolicy(first=timedelta(seconds=30), longest=timedelta(hours=4), window=timedelta(hours=24))


def secret(seed: int) -> str:
    """A valid secret, another for every seed."""
    return "whsec_" + base64.b64encode(bytes([seed]) * 32).decode()


def receiver(name: str, **changes: Any) -> Receiver:
    given = {"name": name, "url": f"https://{name}.example/hook?key=topsecret", "secrets": (secret(1),)}
    return Receiver(**given | changes)


class ScriptedSender:
    """`webhooks.ports.Sender` with the next answers of each receiver, and 200 from then on."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.answers: dict[str, list[Answer | Exception]] = {}
        self.posts: list[Post] = []

    def send(self, post: Post) -> Answer:
        with self._faults.operation(f"send {post.receiver}"):
            self.posts.append(post)
            script = self.answers.get(post.receiver)
            answer = script.pop(0) if script else Answer(200)
            if isinstance(answer, Exception):
                raise answer
            return answer

    def to(self, name: str) -> list[Post]:
        return [post for post in self.posts if post.receiver == f"{TENANT}/{name}"]


class World:
    """Messages are delivered by hand: once, again, or until nobody complains."""

    def __init__(self, receivers: Iterable[Receiver] = (), *, policy: RetryPolicy = POLICY) -> None:
        self.scene = Scene()
        self.sender = ScriptedSender(self.scene.faults)
        self.breakers = Breakers(clock=lambda: self.scene.clock().timestamp())
        self.parking = Parking(self.scene.store, BUCKETS.jobs)
        self.lives = LinkLives(link=timedelta(hours=12), result=timedelta(days=30))
        self.subscriptions = Subscriptions({TENANT: tuple(receivers) or (receiver("orders"),)})
        self._policy = policy
        self._acknowledged = 0

    @property
    def links(self) -> Links:
        return Links(self.scene.store, self.scene.signer, self.scene.clock, self.lives)

    def notify(self) -> Notify:
        return Notify(self.scene.desk, self.subscriptions, self.links, self.refusals("notify"))

    def deliver(self) -> Deliver:
        sender = GuardedSender(self.sender, self.breakers)
        refusals = self.refusals("deliver")
        return Deliver(self.scene.desk, self.subscriptions, sender, self.links, self.parking, self._policy, refusals)

    def sweep(self) -> int:
        return SweepDeliveries(self.scene.desk, self.parking, self.refusals("sweep-deliveries"), parallel=1)()

    def refusals(self, by: str) -> Refusals:
        return Refusals(self.scene.publisher, by=by)

    def completed(self) -> tuple[Job, Outgoing]:
        """A job with two results, and the message that says so."""
        job = self.scene.run()
        return job, self.scene.publisher.on("results")[-1]

    def failed(self, error: CutoutError) -> Outgoing:
        """The message of a job that failed."""
        job = self.scene.upload()
        run = JobRun(job_id=job.job_id, tenant=job.tenant, run=0, source="on_upload", traceparent=TRACEPARENT)
        self.scene.desk.settlement.fail(run, failed(run, error, at=self.scene.clock()))
        return self.scene.publisher.on("results")[-1]

    def deliveries(self) -> list[Event[DeliveryRequested]]:
        return [decode(sent.data, sent.attributes, DeliveryRequested) for sent in self.scene.publisher.on("deliveries")]

    def parked(self) -> list[str]:
        """The names of everything that is parked: an entry and a record each."""
        return [name for name in self.scene.store.names(BUCKETS.jobs) if name.startswith("~deliveries/")]

    def waiting(self) -> list[str]:
        """What a sweep will find one day."""
        return self.parking.entries(self.scene.clock() + timedelta(days=365))

    def pump(self) -> None:
        """Deliver what is on the topics, in order, each message until its function takes it."""
        messages = self.scene.publisher.messages
        while self._acknowledged < len(messages):
            with suppress(Crash, TransientError):
                self._call(messages[self._acknowledged])
                self._acknowledged += 1

    def pass_time(self, seconds: float, *, step: float = 60.0) -> None:
        """A sweep every `step` seconds, with all that follows from it; one that dies leaves its work to the next."""
        end = self.scene.clock() + timedelta(seconds=seconds)
        while self.scene.clock() < end:
            self.scene.clock.advance(step)
            with suppress(Crash, TransientError):
                self.sweep()
            self.pump()

    def _call(self, message: Outgoing) -> None:
        if message.topic == "results":
            self.notify()(pushed(message))
        elif message.topic == "deliveries":
            self.deliver()(pushed(message))


def pushed(message: Outgoing) -> CloudEvent:
    """What Eventarc tells a function of a message, as functions-framework hands it over."""
    attributes = {
        "id": "1",
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "source": f"//pubsub.googleapis.com/projects/local/topics/{message.topic}",
    }
    data = base64.b64encode(message.data.encode()).decode()
    told = {"message": {"data": data, "attributes": message.attributes, "messageId": "1"}, "subscription": "s"}
    return CloudEvent.create(attributes, msgspec.to_builtins(told))
