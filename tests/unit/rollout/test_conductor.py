"""One step after the other, and what may fail beside them."""

from __future__ import annotations

from datetime import timedelta
from itertools import repeat
from typing import TYPE_CHECKING

import pytest

from events.errors import ForbiddenError, TransientError
from rollout.conductor import LATE, Conductor
from rollout.decision import Criteria
from rollout.plan import Apply, Finished, Refuse, SmokeReport, next_step
from tests.fakes import SettableClock
from tests.unit.rollout.cloud_run import NOW, ORDER, apply, service
from tests.unit.rollout.samples import sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rollout.plan import Smoke
    from rollout.sample import Sample
    from rollout.service import Change, Service


class Run:
    """`rollout.ports.RunAdmin` with one service. `failures` are raised by the next readings."""

    def __init__(self, state: Service) -> None:
        self.state = state
        self.failures: list[Exception] = []

    def read(self, name: str) -> Service:
        assert name == self.state.name
        if self.failures:
            raise self.failures.pop()
        return self.state

    def apply(self, service: Service, change: Change) -> None:
        assert service.etag == self.state.etag
        self.state = apply(self.state, change)


class Jobs:
    """`rollout.ports.SmokeTest` that passes, or does not. Cleaning up after it may fail."""

    def __init__(self, *, passed: bool = True, cleaning: Exception | None = None) -> None:
        self.passed = passed
        self.cleaning = cleaning

    def test(self, service: Service, step: Smoke) -> SmokeReport:
        return SmokeReport(step.revision.name, self.passed, f"of {service.name}", jobs=20)

    def clean(self, service: str) -> None:
        if self.cleaning:
            raise self.cleaning


class Numbers:
    """`rollout.ports.Measurements`, the same at all times. Until `failures` are over, each asking raises the next."""

    def __init__(self, of: Sample) -> None:
        self.of = of
        self.spans: list[tuple[datetime, datetime]] = []
        self.failures: Iterator[BaseException] = iter(())

    def sample(self, service: str, revision: str, since: datetime, until: datetime) -> Sample:
        assert service
        assert revision
        self.spans.append((since, until))
        for failure in self.failures:
            raise failure
        return self.of


class Desk:
    """A conductor and what it works with."""

    def __init__(self, state: Service, jobs: Jobs | None = None) -> None:
        self.run = Run(state)
        self.clock = SettableClock(NOW)
        self.numbers = Numbers(sample(40))
        self.said: list[str] = []
        self.conductor = Conductor(
            self.run,
            jobs or Jobs(),
            self.numbers,
            criteria=Criteria(),
            clock=self.clock,
            sleep=lambda span: self.clock.sleep(span.total_seconds()),
            say=self.said.append,
        )


@pytest.mark.parametrize("error", [TransientError("Pub/Sub is away"), ForbiddenError("you may not list topics")])
def test_traffic_goes_back_whatever_becomes_of_the_lanes(error: Exception) -> None:
    desk = Desk(service(), Jobs(passed=False, cleaning=error))
    end = desk.conductor.carry_out("gpu-worker", ORDER)
    assert isinstance(end, Finished)
    assert end.outcome == "rolled_back"
    assert [(each.revision, each.percent) for each in desk.run.state.traffic] == [("old", 100)]
    assert f"left for the next rollout: {error}" in desk.said


def test_a_rollback_by_hand_waits_an_outage_out() -> None:
    beginning = next_step(service(), ORDER, NOW)
    assert isinstance(beginning, Apply)
    desk = Desk(apply(service(), beginning.change), Jobs(cleaning=TransientError("Pub/Sub is away")))
    desk.run.failures = [TransientError("Cloud Run is away")] * 3
    end = desk.conductor.end("gpu-worker", "rolled_back", "ann")
    assert end == Finished("rolled_back", "back: by hand, by ann")
    desk.run.failures = [TransientError("Cloud Run is away")] * 30
    with pytest.raises(TransientError, match="is away"):
        desk.conductor.end("gpu-worker", "rolled_back", "ann")


def test_a_canary_is_measured_only_by_what_came_after_its_beginning() -> None:
    desk = Desk(service())
    end = desk.conductor.carry_out("gpu-worker", ORDER)
    assert isinstance(end, Finished)
    assert end.outcome == "promoted"
    assert min(since for since, _ in desk.numbers.spans) > NOW
    assert min(until for _, until in desk.numbers.spans) >= NOW + LATE


def test_a_service_that_never_settles_is_not_waited_for_for_ever() -> None:
    desk = Desk(service()._replace(settled=False))
    end = desk.conductor.carry_out("gpu-worker", ORDER)
    assert isinstance(end, Refuse)
    assert "for too long" in end.reason
    assert desk.clock() - NOW <= ORDER.start_within + timedelta(minutes=1)


def split(desk: Desk) -> list[tuple[str, int]]:
    return [(each.revision, each.percent) for each in desk.run.state.traffic]


def test_an_outage_of_monitoring_is_waited_out_while_a_canary_is_watched() -> None:
    desk = Desk(service())
    desk.numbers.failures = repeat(TransientError("Monitoring is away"), 30)
    end = desk.conductor.carry_out("gpu-worker", ORDER)
    assert isinstance(end, Finished)
    assert end.outcome == "promoted"


def test_a_canary_that_can_not_be_measured_until_the_deadline_is_taken_back() -> None:
    desk = Desk(service())
    desk.numbers.failures = repeat(TransientError("Monitoring is away"))
    end = desk.conductor.carry_out("gpu-worker", ORDER)
    assert isinstance(end, Finished)
    assert end.outcome == "rolled_back"
    assert "can't be measured" in end.reason
    assert split(desk) == [("old", 100)]
    assert desk.clock() - NOW >= Criteria().deadline


@pytest.mark.parametrize(
    "error", [ForbiddenError("you may not read metrics"), KeyboardInterrupt(), ValueError("a bug")]
)
def test_a_canary_that_nobody_watches_any_more_is_taken_back(error: BaseException) -> None:
    desk = Desk(service())
    desk.numbers.failures = iter([error])
    with pytest.raises(type(error)):
        desk.conductor.carry_out("gpu-worker", ORDER)
    assert split(desk) == [("old", 100)]
    assert not [each for each in desk.run.state.traffic if each.tag]
    end = desk.conductor.carry_out("gpu-worker", ORDER)
    assert isinstance(end, Finished)
    assert end.outcome == "rolled_back"
    assert "the rollout ended" in end.reason


def test_an_error_that_ends_a_canary_is_told_even_where_it_can_not_be_taken_back() -> None:
    desk = Desk(service())
    desk.numbers.failures = iter([ForbiddenError("you may not read metrics")])
    read = desk.run.read

    def refusing_once_watched(name: str) -> Service:
        if desk.numbers.spans:
            raise TransientError("Cloud Run is away")
        return read(name)

    desk.run.read = refusing_once_watched  # type: ignore[method-assign]  # the outage begins with the watching
    with pytest.raises(ForbiddenError, match="metrics"):
        desk.conductor.carry_out("gpu-worker", ORDER)
    assert split(desk) == [("old", 90), ("new", 10)]
    assert "left as it is: Cloud Run is away" in desk.said


def test_an_error_before_the_canary_leaves_what_the_next_call_goes_on_from() -> None:
    beginning = next_step(service(), ORDER, NOW)
    assert isinstance(beginning, Apply)
    desk = Desk(apply(service(), beginning.change))
    desk.run.failures = [ForbiddenError("you may not")]
    with pytest.raises(ForbiddenError):
        desk.conductor.carry_out("gpu-worker", ORDER)
    assert desk.run.state.annotations == beginning.change.annotations
