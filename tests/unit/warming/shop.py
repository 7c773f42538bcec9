"""A shop with a worker that the service believes awake or not, and `warm` over fakes."""

from __future__ import annotations

import base64
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from cloudevents.http import CloudEvent

from events.envelope import decode
from events.messages import CostRecorded, WarmupRequested
from functions.prompts import Prompts
from functions.warm import Warm
from jobs.activity import Activity
from jobs.desk import JobDesk
from jobs.flags import Flags
from jobs.intents import Intents
from jobs.ledger import Ledger, Page
from jobs.lookout import Lookout
from jobs.rates import DailyRates
from jobs.warmups import BookedWarmup
from planner.budget import Budget
from planner.policy import Policy
from planner.rates import History, Prior
from planner.worker import Worker
from tests.fakes import FakePublisher, FakeStore, Faults, SettableClock
from tests.unit.scene import BUCKETS, SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from events.envelope import Event
    from planner.instance import Observation
    from planner.intents import Stage

__all__ = ["REGION", "WAKE", "FakeMonitor", "Past", "Shop", "delivery"]

REGION: Final = "europe-west4"
WAKE: Final = Worker().nano_usd(Worker().wake_seconds)


def delivery(attributes: Mapping[str, str], data: str, at: datetime, *, message_id: str) -> CloudEvent:
    """A message of the topic `ticks` as Eventarc hands it to a function."""
    wrapped = {
        "message": {
            "data": base64.b64encode(data.encode()).decode(),
            "attributes": dict(attributes),
            "messageId": message_id,
            "publishTime": at.isoformat(),
        },
        "subscription": "projects/p/subscriptions/warm",
    }
    told = {
        "id": message_id,
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "source": "//pubsub.googleapis.com/x",
        "time": at.isoformat(),
    }
    return CloudEvent.create(told, wrapped)


class Past:
    """`jobs.rates.JobHistory` that knows nothing, or fails."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.history: History | None = None

    def jobs_by_hour(self, since: datetime, until: datetime) -> History:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.history or History(since=since, until=until)


class FakeMonitor:
    """`jobs.lookout.InstanceMonitor`."""

    def __init__(self) -> None:
        self.observation: Observation | None = None
        self.error: Exception | None = None

    def observed(self) -> Observation | None:
        if self.error is not None:
            raise self.error
        return self.observation


class Shop:
    def __init__(self, policy: Policy | None = None, *, daily_usd: str = "5") -> None:
        self.faults = Faults()
        self.store = FakeStore(self.faults)
        self.publisher = FakePublisher(self.faults)
        self.clock = SettableClock()
        self.past = Past()
        self.monitor = FakeMonitor()
        self.policy = policy or Policy(budget=Budget(daily_usd=Decimal(daily_usd)))
        self.desk = JobDesk.over(self.store, self.publisher, BUCKETS, secret=SECRET, clock=self.clock)
        self.activity = Activity(self.store, BUCKETS.jobs, self.clock)
        self.flags = Flags(self.store, BUCKETS.jobs, self.clock)
        self.intents = Intents(self.store, BUCKETS.jobs, self.clock, secret=SECRET)
        self.ledger = Ledger(self.store, BUCKETS.jobs, "~warming", BookedWarmup)
        self._messages = 0

    def warm(self) -> Warm:
        """The function as a fresh process has it."""
        rates = DailyRates(self.store, BUCKETS.jobs, self.past, Prior(), self.policy.schedule.zone)
        lookout = Lookout(self.policy, self.activity, self.intents, rates, self.flags, self.monitor)
        prompts = Prompts(self.clock, sleep=self.clock.sleep)
        return Warm(self.desk, self.policy, lookout, self.ledger, prompts, region=REGION)

    def tick(self, *, message_id: str | None = None, at: datetime | None = None) -> CloudEvent:
        """Of the scheduler; each has an id of its own."""
        self._messages += 1
        return delivery({"tick": "warm"}, "", at or self.clock(), message_id=message_id or f"tick-{self._messages}")

    def show(self, stage: Stage, *sessions: str) -> None:
        for session in sessions or ("somebody",):
            self.intents.mark("acme", session, stage)

    def job(self) -> None:
        """A worker takes up a job."""
        self.activity.note(job=True)

    def advance(self, *, minutes: float = 0.0, seconds: float = 0.0) -> None:
        self.clock.now += timedelta(minutes=minutes, seconds=seconds)

    def page(self) -> Page[BookedWarmup]:
        return self.ledger.page(self.clock())

    def requests(self) -> list[Event[WarmupRequested]]:
        """What the worker was sent, repetitions left out."""
        return [decode(m.data, m.attributes, WarmupRequested) for m in self.publisher.distinct("warmups")]

    def costs(self) -> list[Event[CostRecorded]]:
        """What was recorded, repetitions left out."""
        return [decode(m.data, m.attributes, CostRecorded) for m in self.publisher.distinct("costs")]
