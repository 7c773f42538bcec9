"""What a policy would have made of a shop's visits: a worker, the ticks, the intents and the budget, in order of time.

One instance is simulated: whether there is a warm one is what the policies decide about, how many there are is the
autoscaler's business. Decisions take no time, and an idle instance is kept as long as the platform may keep it.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from planner.arrivals import RECENT_HOURS
from planner.budget import Spent
from planner.instance import Traces, instance_at
from planner.intents import Intent, memory
from planner.policy import Situation, decide
from planner.rates import History, HourCount, Prior, weekly_rates
from planner.warmups import added_seconds, total, warmup_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from planner.instance import Instance
    from planner.patterns import Visit
    from planner.policy import Decision, Policy
    from planner.rates import WeeklyRates
    from planner.warmups import Warmup

__all__ = ["Outcome", "simulate"]

_RECENT: Final = timedelta(hours=RECENT_HOURS)
_HISTORY: Final = timedelta(days=28)
_JOB_SECONDS: Final = 3.0
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`bill_usd` is the instance's, whatever kept it up; `most_spent` is the most that each day's budget stood at."""

    jobs: int
    cold_starts: int
    seconds_waited: float
    bill_usd: float
    wakes: int
    extensions: int
    most_spent: dict[date, Spent]

    def loss_usd(self, usd_per_second_waited: float) -> float:
        """The bill, and what the waiting was worth: what a policy is to make small."""
        return self.bill_usd + usd_per_second_waited * self.seconds_waited


def simulate(
    visits: Iterable[Visit],
    policy: Policy,
    *,
    start: datetime,
    days: int,
    prior: Prior | None = None,
    listen: bool = True,
    on_day: Callable[[int], None] = lambda _day: None,
) -> Outcome:
    """`listen` False leaves the intents out. `on_day` is told of each day that begins, from 1 on."""
    world = _World(policy, prior or Prior(), start)
    day = 0
    for happening in _happenings(visits, policy, start, days, listen=listen):
        while happening.at >= start + timedelta(days=day):
            day += 1
            world.learn(happening.at)
            on_day(day)
        world.happen(happening)
    return world.outcome()


class _Happening(NamedTuple):
    """A tick, unless a shopper uploads or shows an intent."""

    at: datetime
    uploads: bool = False
    intent: Intent | None = None


def _happenings(
    visits: Iterable[Visit], policy: Policy, start: datetime, days: int, *, listen: bool
) -> list[_Happening]:
    end = start + timedelta(days=days)
    tick = timedelta(seconds=policy.tick_seconds)
    all_of_them = [_Happening(start + index * tick) for index in range(int((end - start) / tick))]
    for number, visit in enumerate(visits):
        if visit.uploaded is not None:
            all_of_them.append(_Happening(visit.uploaded, uploads=True))
        if listen:
            shown = (Intent(str(number), stage, at) for at, stage in visit.stages)
            all_of_them += [_Happening(intent.at, intent=intent) for intent in shown]
    return sorted(
        (happening for happening in all_of_them if start <= happening.at < end), key=lambda happening: happening.at
    )


class _SimulatedInstance:
    """Billed from its start until its idle time ends."""

    def __init__(self, policy: Policy) -> None:
        self._start = timedelta(seconds=policy.worker.cold_start_seconds)
        self._idle = timedelta(seconds=policy.worker.idle_seconds)
        self._ready = self._end = _NEVER
        self.seconds = 0.0

    def request(self, now: datetime, *, busy: float = 0.0) -> datetime:
        """When a request that comes now is taken up."""
        if now >= self._end:
            self._end, self._ready = now, now + self._start
        taken_up = max(now, self._ready)
        end = max(self._end, taken_up + timedelta(seconds=busy) + self._idle)
        self.seconds += (end - self._end).total_seconds()
        self._end = end
        return taken_up


class _World:
    def __init__(self, policy: Policy, prior: Prior, start: datetime) -> None:
        self._policy = policy
        self._prior = prior
        self._start = start
        self._instance = _SimulatedInstance(policy)
        self._jobs: list[datetime] = []
        self._notes: deque[datetime] = deque()
        self._recent: deque[datetime] = deque()
        self._intents: deque[Intent] = deque()
        self._memory = memory(policy.stages)
        self._requested: datetime | None = None
        self._waited = 0.0
        self._cold_starts = 0
        self._actions: Counter[str] = Counter()
        self._open: list[Warmup] = []
        self._settled: defaultdict[date, Spent] = defaultdict(Spent)
        self._most: dict[date, Spent] = {}
        self._rates = self._learned(start)

    def learn(self, now: datetime) -> None:
        """As the service does it, once a day."""
        self._rates = self._learned(now)

    def happen(self, happening: _Happening) -> None:
        if happening.uploads:
            self._upload(happening.at)
            return
        if happening.intent is not None:
            self._intents.append(happening.intent)
            if not self._policy.stages[happening.intent.stage].prompt:
                return
        self._decide(happening.at)

    def outcome(self) -> Outcome:
        return Outcome(
            jobs=len(self._jobs),
            cold_starts=self._cold_starts,
            seconds_waited=self._waited,
            bill_usd=self._instance.seconds * self._policy.worker.usd_per_second,
            wakes=self._actions["wake"],
            extensions=self._actions["extend"],
            most_spent=self._most,
        )

    def _upload(self, now: datetime) -> None:
        taken_up = self._instance.request(now, busy=_JOB_SECONDS)
        self._jobs.append(now)
        self._note(taken_up)
        self._recent.append(_minute(taken_up))
        if taken_up > now:
            self._cold_starts += 1
            self._waited += (taken_up - now).total_seconds()

    def _decide(self, now: datetime) -> None:
        _forget(self._recent, now - _RECENT)
        while self._intents and self._intents[0].at < now - self._memory:
            self._intents.popleft()
        recent = tuple(dict.fromkeys(moment for moment in self._recent if moment <= now))
        self._settle(recent, now)
        situation = Situation(
            now=now,
            rates=self._rates,
            instance=self._seen(now),
            spent=self._spent(_day(now)),
            recent=recent,
            intents=tuple(self._intents),
            requested=self._requested,
        )
        self._act(decide(self._policy, situation), now)

    def _act(self, decision: Decision, now: datetime) -> None:
        warmup = warmup_of(decision, now)
        if warmup is None:
            return
        self._actions[warmup.action] += 1
        self._open.append(warmup)
        day = _day(now)
        spent, most = self._spent(day), self._most.get(day, Spent())
        self._most[day] = Spent(
            nano_usd=max(most.nano_usd, spent.nano_usd),
            intents_nano_usd=max(most.intents_nano_usd, spent.intents_nano_usd),
        )
        self._requested = now
        self._note(self._instance.request(now))

    def _settle(self, jobs: tuple[datetime, ...], now: datetime) -> None:
        worker = self._policy.worker
        still_open = []
        for warmup in self._open:
            seconds = added_seconds(warmup, jobs, now, worker)
            if seconds is None:
                still_open.append(warmup)
            else:
                day = _day(warmup.at)
                self._settled[day] = self._settled[day].plus(warmup.cause, worker.nano_usd(seconds))
        self._open = still_open

    def _spent(self, day: date) -> Spent:
        settled = self._settled[day]
        still = total((warmup.cause, warmup.nano_usd) for warmup in self._open if _day(warmup.at) == day)
        return Spent(
            nano_usd=settled.nano_usd + still.nano_usd,
            intents_nano_usd=settled.intents_nano_usd + still.intents_nano_usd,
        )

    def _seen(self, now: datetime) -> Instance:
        """What the service knows: the minutes of the past in which a worker was awake."""
        awake = next((note for note in reversed(self._notes) if note <= now), None)
        traces = Traces(awake=None if awake is None else _minute(awake), requested=self._requested)
        return instance_at(now, traces, self._policy.worker)

    def _note(self, at: datetime) -> None:
        self._notes.append(at)
        _forget(self._notes, at - _RECENT)

    def _learned(self, now: datetime) -> WeeklyRates:
        since = max(self._start, now - _HISTORY)
        counts = Counter(moment.replace(minute=0, second=0, microsecond=0) for moment in self._since(since))
        history = History(since=since, until=now, counts=tuple(HourCount(hour, jobs) for hour, jobs in counts.items()))
        return weekly_rates(history, self._prior, self._policy.schedule.zone)

    def _since(self, since: datetime) -> Iterator[datetime]:
        return (moment for moment in self._jobs if moment >= since)


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _forget(moments: deque[datetime], before: datetime) -> None:
    while moments and moments[0] < before:
        moments.popleft()
