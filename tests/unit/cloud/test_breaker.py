from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.breaker import PROBE_SECONDS, BreakerPolicy, Breakers, Change, Circuit, CircuitOpenError
from cloud.environment import SettingsError
from events.errors import NotFoundError, TransientError

if TYPE_CHECKING:
    from cloud.breaker import State

POLICY: Final = BreakerPolicy(failures=3, window=60.0, pause=30.0)
MANY: Final = st.lists(st.tuples(st.sampled_from(["begin", "succeed", "fail", "abandon"]), st.floats(0, 100)))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Lab:
    """Breakers with a clock that stands still, and all changes so far."""

    def __init__(self, policy: BreakerPolicy = POLICY) -> None:
        self.clock = Clock()
        self.breakers = Breakers(policy, clock=self.clock)
        self.changes: list[Change] = []
        self.breakers.listen(self.changes.append)

    def succeed(self, name: str = "api") -> None:
        with self.breakers.call(name):
            pass

    def fail(self, name: str = "api", times: int = 1, *, insist: bool = False) -> None:
        for _ in range(times):
            with pytest.raises(TransientError, match="down"), self.breakers.call(name, insist=insist):
                raise TransientError("down")

    def state(self, name: str = "api") -> State:
        return self.breakers.states()[name]

    def refused(self, name: str = "api") -> int:
        """Seconds to wait."""
        with pytest.raises(CircuitOpenError) as caught, self.breakers.call(name):
            pytest.fail("it was called")
        return caught.value.retry_after_seconds


@pytest.fixture
def lab() -> Lab:
    return Lab()


class TestACircuit:
    def test_stays_closed_while_failures_are_not_in_a_row(self, lab: Lab) -> None:
        for _ in range(5):
            lab.fail(times=2)
            lab.succeed()
        assert lab.state() == "closed"

    def test_stays_closed_while_failures_are_far_apart(self, lab: Lab) -> None:
        for _ in range(10):
            lab.fail()
            lab.clock.now += 31
        assert lab.state() == "closed"

    def test_opens_after_several_failures_in_a_row_and_says_when_to_come_back(self, lab: Lab) -> None:
        lab.fail(times=3)
        assert lab.state() == "open"
        assert lab.refused() == 30
        lab.clock.now += 10.5
        assert lab.refused() == 20

    def test_lets_one_call_probe_after_the_pause_and_closes_when_that_succeeds(self, lab: Lab) -> None:
        lab.fail(times=3)
        lab.clock.now += 30
        with lab.breakers.call("api"):
            assert lab.state() == "half_open"
            assert lab.refused() == 30
        assert lab.state() == "closed"
        lab.fail(times=2)
        assert lab.state() == "closed", "it remembers failures from before"

    def test_opens_for_another_pause_when_the_probe_fails(self, lab: Lab) -> None:
        lab.fail(times=3)
        lab.clock.now += 30
        lab.fail()
        assert lab.refused() == 30

    def test_takes_a_refusal_as_a_sign_of_life(self, lab: Lab) -> None:
        lab.fail(times=3)
        lab.clock.now += 30
        with pytest.raises(NotFoundError), lab.breakers.call("api"):
            raise NotFoundError("no such service")
        assert lab.state() == "closed"

    def test_learns_nothing_from_a_probe_that_was_broken_off(self, lab: Lab) -> None:
        lab.fail(times=3)
        lab.clock.now += 30
        with pytest.raises(KeyboardInterrupt), lab.breakers.call("api"):
            raise KeyboardInterrupt
        assert lab.state() == "open"
        lab.succeed()
        assert lab.state() == "closed"

    def test_counts_an_answer_that_its_caller_calls_a_failure(self, lab: Lab) -> None:
        for _ in range(3):
            with lab.breakers.call("api") as call:
                call.fail()
        assert lab.state() == "open"

    def test_is_no_other_targets_business(self, lab: Lab) -> None:
        lab.fail("acme/orders", times=3)
        lab.succeed("globex/orders")
        assert lab.breakers.states() == {"acme/orders": "open", "globex/orders": "closed"}

    def test_does_not_believe_a_late_answer_to_a_call_from_before_it_opened(self, lab: Lab) -> None:
        with lab.breakers.call("api"):
            lab.fail(times=3)
        assert lab.state() == "open"

    def test_gives_a_lost_probe_up_in_the_end(self) -> None:
        opened = Circuit(state="open", since=0.0)
        probing = opened.begun(POLICY.pause)
        assert not probing.admits(POLICY.pause + PROBE_SECONDS - 1, POLICY)
        assert probing.admits(POLICY.pause + PROBE_SECONDS, POLICY)
        again = probing.begun(POLICY.pause + PROBE_SECONDS)
        assert again.failed(probing.epoch, 200.0, POLICY) == again


class TestInsisting:
    def test_gets_through_an_open_circuit_and_closes_it_with_a_success(self, lab: Lab) -> None:
        lab.fail(times=3)
        with lab.breakers.call("api", insist=True):
            assert lab.refused() == 30
        assert lab.state() == "closed"

    def test_does_not_prolong_the_pause_with_a_failure(self, lab: Lab) -> None:
        lab.fail(times=3)
        lab.clock.now += 20
        lab.fail(insist=True)
        assert lab.refused() == 10


class TestChanges:
    def test_are_told_and_logged_each_once(self, lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        lab.fail(times=3)
        lab.refused()
        lab.clock.now += 30
        lab.fail()
        lab.clock.now += 30
        lab.succeed()
        assert lab.changes == [
            Change("api", "closed", "open", 3),
            Change("api", "open", "half_open", 3),
            Change("api", "half_open", "open", 4),
            Change("api", "open", "half_open", 4),
            Change("api", "half_open", "closed", 4),
        ]
        lines = [vars(record) for record in caplog.records if record.message == "circuit_changed"]
        assert [(line["circuit"], line["state"], line["failures"]) for line in lines] == [
            (change.circuit, change.state, change.failures) for change in lab.changes
        ]
        assert [line["levelno"] for line in lines] == [logging.WARNING] * 4 + [logging.INFO]

    def test_reach_the_others_though_one_listener_is_broken(self, caplog: pytest.LogCaptureFixture) -> None:
        lab = Lab(replace(POLICY, failures=1))
        heard: list[Change] = []
        lab.breakers.listen(lambda _: 1 / 0)
        lab.breakers.listen(heard.append)
        lab.fail()
        assert heard == [Change("api", "closed", "open", 1)]
        assert "circuit_listener_failed" in caplog.text

    def test_can_not_be_made_through_the_view(self, lab: Lab) -> None:
        lab.succeed()
        view = lab.breakers.states()
        with pytest.raises(TypeError):
            view["api"] = "open"  # type: ignore[index]


@given(MANY)
def test_whatever_happens_every_pause_is_kept_and_one_call_probes(events: list[tuple[str, float]]) -> None:
    """Calls of many threads, in any order: the machine against what is asked of it."""
    circuit, now, epochs, probes = Circuit(), 0.0, list[int](), set[int]()
    for event, wait in events:
        now += wait
        before = circuit
        if event == "begin":
            if circuit.admits(now, POLICY):
                if circuit.state == "open":
                    assert now - circuit.since >= POLICY.pause
                circuit = circuit.begun(now)
                if circuit.state != "closed":
                    assert circuit.epoch not in probes, "two probes at once"
                    probes.add(circuit.epoch)
                epochs.append(circuit.epoch)
            else:
                assert 0 < circuit.retry_after(now, POLICY) <= POLICY.pause
        elif epochs:
            epoch = epochs.pop(0)
            if event == "succeed":
                circuit = circuit.succeeded(epoch, now)
            elif event == "fail":
                circuit = circuit.failed(epoch, now, POLICY)
            else:
                circuit = circuit.abandoned(epoch, now, POLICY)
            if epoch != before.epoch:
                assert circuit == before, "an old call decided over a new state"
        assert circuit.epoch >= before.epoch
        assert (circuit.epoch > before.epoch) == (circuit.state != before.state or circuit.since != before.since)
        assert len(circuit.recent) <= POLICY.failures


@given(st.lists(st.floats(0, 40), min_size=1, max_size=30))
def test_it_opens_exactly_when_enough_failures_came_in_time(pauses: list[float]) -> None:
    circuit, now, times = Circuit(), 0.0, list[float]()
    for pause in pauses:
        now += pause
        times.append(now)
        circuit = circuit.failed(circuit.epoch, now, POLICY)
        if len(times) >= 3 and times[-1] - times[-3] <= POLICY.window:
            assert circuit.state == "open"
            return
        assert circuit.state == "closed"


def test_of_many_threads_one_probes() -> None:
    lab = Lab()
    lab.fail(times=3)
    lab.clock.now += 30
    admitted, refused = list[int](), list[int]()
    together, done = threading.Barrier(8), threading.Event()

    def call(number: int) -> None:
        together.wait(10)
        try:
            with lab.breakers.call("api"):
                admitted.append(number)
                done.wait(10)
        except CircuitOpenError:
            refused.append(number)
            if len(refused) == 7:
                done.set()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (len(admitted), len(refused), lab.state()) == (1, 7, "closed")


class TestSettings:
    def test_are_read_from_the_environment(self) -> None:
        environ = {"BREAKER_FAILURES": "2", "BREAKER_WINDOW_SECONDS": "10", "BREAKER_PAUSE_SECONDS": "0.5"}
        assert BreakerPolicy.from_env(environ) == BreakerPolicy(failures=2, window=10.0, pause=0.5)
        assert BreakerPolicy.from_env({}) == BreakerPolicy()

    def test_that_are_wrong_are_all_named(self) -> None:
        with pytest.raises(SettingsError) as caught:
            BreakerPolicy.from_env({"BREAKER_FAILURES": "0", "BREAKER_PAUSE_SECONDS": "soon"})
        assert set(caught.value.variables) == {"BREAKER_FAILURES", "BREAKER_PAUSE_SECONDS"}
