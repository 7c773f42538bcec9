"""Takes one step of a rollout after the other, each from the state as it is then."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeGuard

from events.errors import ConflictError, CutoutError, TransientError
from rollout.decision import Verdict, decide, unmeasured
from rollout.plan import Apply, Finished, Refuse, Smoke, Wait, end_by_hand, let_go, next_step

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from jobs.ports import Clock
    from rollout.decision import Criteria
    from rollout.plan import Order, SmokeReport, Watch
    from rollout.ports import Measurements, RunAdmin, SmokeTest
    from rollout.record import Outcome
    from rollout.service import Service

__all__ = ["LATE", "Conductor", "Pace"]

LATE: Final = timedelta(minutes=3)
"""How old a measurement is before Monitoring has it."""
_PATIENCE: Final = 10
"""So many failures or lost races in a row are waited out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Pauses between two looks at a revision that starts, and at one that is watched."""

    start: timedelta = timedelta(seconds=5)
    watch: timedelta = timedelta(seconds=30)


@dataclass(slots=True)
class _Known:
    """What this process found out, and another one would find out again."""

    tested: SmokeReport | None = None
    verdict: Verdict | None = None
    said: str = ""
    waiting_since: datetime | None = None


class Conductor:
    """The rollouts of one region. `say` gets a line for each thing that happens."""

    def __init__(
        self,
        run: RunAdmin,
        smoke: SmokeTest,
        measurements: Measurements,
        *,
        criteria: Criteria,
        clock: Clock,
        sleep: Callable[[timedelta], None],
        say: Callable[[str], None],
        pace: Pace | None = None,
    ) -> None:
        self._run = run
        self._smoke = smoke
        self._measurements = measurements
        self._criteria = criteria
        self._clock = clock
        self._sleep = sleep
        self._say = say
        self._pace = pace or Pace()

    def carry_out(self, name: str, order: Order) -> Finished | Refuse:
        """Roll out, or go on with what was begun before.

        Raises a `CutoutError` where it can't go on; nothing is lost then, and the next call goes on from there. But no
        traffic is left with a revision that nobody watches: where it ends so, or is interrupted, that goes back first.
        """
        try:
            return self._carry_out(name, order)
        except (Exception, KeyboardInterrupt) as error:
            self._let_go(name, order, str(error) or type(error).__name__)
            raise

    def _carry_out(self, name: str, order: Order) -> Finished | Refuse:
        known, failures = _Known(), 0
        while True:
            try:
                service = self._run.read(name)
                step = next_step(service, order, self._clock(), tested=known.tested, verdict=known.verdict)
                if isinstance(step, Finished | Refuse):
                    return step
                if self._waited_too_long(step, order, known):
                    return Refuse(f"{step.text}, for too long: look at the service")
                self._take(service, step, known)
            except (ConflictError, TransientError) as error:
                failures += 1
                if failures > _PATIENCE:
                    raise
                self._say(f"again: {error}")
                self._sleep(self._pace.start)
                continue
            failures = 0
            if isinstance(step, Apply):
                order = replace(order, again=False)

    def end(self, name: str, outcome: Outcome, by: str) -> Finished | Refuse:
        """End whatever rollout is under way, by hand. Raises a `CutoutError` where that can't be done."""
        failures = 0
        while True:
            try:
                service = self._run.read(name)
                step = end_by_hand(service, self._clock(), outcome, by)
                if isinstance(step, Refuse):
                    return step
                self._apply(service, step)
            except (ConflictError, TransientError) as error:
                failures += 1
                if failures > _PATIENCE:
                    raise
                self._say(f"again: {error}")
                self._sleep(self._pace.start)
            else:
                return Finished(outcome, step.text)

    def _let_go(self, name: str, order: Order, reason: str) -> None:
        """Tried once: what ended the rollout is told whatever comes of it."""
        try:
            service = self._run.read(name)
            step = let_go(service, order, self._clock(), f"the rollout ended: {reason}")
            if step is not None:
                self._apply(service, step)
        except CutoutError as error:
            self._say(f"left as it is: {error}")

    def _waited_too_long(self, step: Apply | Wait | Smoke | Watch, order: Order, known: _Known) -> TypeGuard[Wait]:
        """A rollout under way ends by itself; this is for what comes before it."""
        if not isinstance(step, Wait):
            known.waiting_since = None
            return False
        known.waiting_since = known.waiting_since or self._clock()
        return self._clock() - known.waiting_since > order.start_within

    def _take(self, service: Service, step: Apply | Wait | Smoke | Watch, known: _Known) -> None:
        if isinstance(step, Apply):
            self._apply(service, step)
        elif isinstance(step, Wait):
            self._tell(step.text, known)
            self._sleep(self._pace.start)
        elif isinstance(step, Smoke):
            self._tell(f"smoke test of {step.revision.name} at {step.url}", known)
            known.tested = self._smoke.test(service, step)
            self._tell(f"smoke test {'passed' if known.tested.passed else 'failed'}: {known.tested.text}", known)
        else:
            known.verdict = self._judge(service.name, step)
            if known.verdict.action == "watch":
                self._tell(known.verdict.reason, known)
                self._sleep(self._pace.watch)

    def _apply(self, service: Service, step: Apply) -> None:
        if step.ends:
            self._clean(service.name)
        self._run.apply(service, step.change)
        self._say(step.text)

    def _clean(self, name: str) -> None:
        """Traffic must not wait for Pub/Sub."""
        try:
            self._smoke.clean(name)
        except CutoutError as error:
            self._say(f"left for the next rollout: {error}")

    def _judge(self, name: str, step: Watch) -> Verdict:
        now = self._clock()
        if now < step.begun + LATE:
            return Verdict("watch", "nothing is measured yet")
        watched = now - step.begun - LATE
        try:
            new = self._measurements.sample(name, step.new, step.since, now)
            old = self._measurements.sample(name, step.old, step.since, now)
        except TransientError as error:
            return unmeasured(str(error), watched, self._criteria)
        return decide(new, old, watched, self._criteria, smoke_jobs=step.jobs)

    def _tell(self, text: str, known: _Known) -> None:
        """What stays the same is told once."""
        if text != known.said:
            self._say(text)
            known.said = text
