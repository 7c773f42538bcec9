"""What is known of shop and worker at a moment: all that the decision about warming goes by, put together."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

from events.errors import TransientError
from jobs.warmups import last_request, spent
from planner.arrivals import RECENT_HOURS
from planner.instance import Observation, Traces, instance_at
from planner.intents import memory
from planner.policy import Situation, awaits_intents

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.activity import Activity
    from jobs.flags import Flags
    from jobs.intents import Intents
    from jobs.ledger import Page
    from jobs.rates import DailyRates
    from jobs.warmups import BookedWarmup
    from planner.policy import Policy

__all__ = ["Awake", "InstanceMonitor", "Lookout", "Unwatched"]

_LOG: Final = logging.getLogger(__name__)
_RECENT: Final = timedelta(hours=RECENT_HOURS)


class InstanceMonitor(Protocol):
    def observed(self) -> Observation | None:
        """How many instances there were lately; None if that is not known. Raises `TransientError`."""


class Unwatched:
    """Where nothing counts instances: what the worker itself leaves behind is all that is known."""

    def observed(self) -> Observation | None:
        return None


class Awake(NamedTuple):
    """The minutes in which a worker was awake, and those in which it took up jobs, each in order of time."""

    minutes: tuple[datetime, ...]
    jobs: tuple[datetime, ...]


class Lookout:
    def __init__(
        self,
        policy: Policy,
        activity: Activity,
        intents: Intents,
        rates: DailyRates,
        flags: Flags,
        monitor: InstanceMonitor,
    ) -> None:
        self._policy = policy
        self._activity = activity
        self._intents = intents
        self._rates = rates
        self._flags = flags
        self._monitor = monitor
        self._memory = memory(policy.stages)

    def awake(self, page: Page[BookedWarmup], now: datetime) -> Awake:
        """Of the last hour, and as far back as there are warm-ups of which it is open what they came to."""
        open_since = (line.entry.warmup.at for line in page.open)
        since = min((now - _RECENT, *open_since))
        minutes = self._activity.minutes(since)
        return Awake(
            tuple(dict.fromkeys(each.minute for each in minutes)), tuple(each.minute for each in minutes if each.job)
        )

    def situation(self, page: Page[BookedWarmup], awake: Awake, now: datetime) -> Situation:
        """With the intents where they matter: anybody can show many, and most decisions are made without."""
        situation = self._without_intents(page, awake, now)
        if not awaits_intents(self._policy, situation):
            return situation
        return msgspec.structs.replace(situation, intents=self._intents.since(now - self._memory))

    def _without_intents(self, page: Page[BookedWarmup], awake: Awake, now: datetime) -> Situation:
        requested = last_request(page)
        traces = Traces(awake=max(awake.minutes, default=None), requested=requested, observed=self._observed())
        return Situation(
            now=now,
            rates=self._rates.at(now),
            instance=instance_at(now, traces, self._policy.worker),
            spent=spent(page),
            recent=tuple(job for job in awake.jobs if job > now - _RECENT),
            requested=requested,
            paused=self._flags.up_until("warming-paused") is not None,
        )

    def _observed(self) -> Observation | None:
        """A monitor that fails is one that knows nothing."""
        try:
            return self._monitor.observed()
        except TransientError as error:
            _LOG.warning("instances_unknown", extra={"error": error.message})
            return None
