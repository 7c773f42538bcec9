"""Receivers behind circuits: alone, and in the life of a delivery."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from cloud.breaker import BreakerPolicy, Breakers, CircuitOpenError
from tests.fakes import Faults
from tests.unit.examples import TENANT
from tests.unit.webhooks.world import ScriptedSender, World, pushed, receiver
from webhooks.errors import ForbiddenTargetError, UnreachableError
from webhooks.guarded import GuardedSender, circuit_of
from webhooks.ports import Answer, Post

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY: Final = BreakerPolicy()
ORDERS: Final = f"{TENANT}/orders"
PAUSE: Final = POLICY.pause


def post(name: str = "orders", *, last: bool = False) -> Post:
    return Post(f"{TENANT}/{name}", f"https://{name}.example/", {}, b"{}", last)


class Line:
    """A guarded sender to receivers that answer as told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.network = ScriptedSender(Faults())
        self.breakers = Breakers(POLICY, clock=lambda: self.now)
        self.sender = GuardedSender(self.network, self.breakers)

    def fail(self, answer: Answer | Exception, times: int = POLICY.failures) -> None:
        self.network.answers[ORDERS] = [answer] * times
        for _ in range(times):
            if isinstance(answer, Exception):
                with pytest.raises(type(answer)):
                    self.sender.send(post())
            else:
                assert self.sender.send(post()) == answer

    @property
    def state(self) -> str:
        return self.breakers.states()[circuit_of(ORDERS)]


class TestASender:
    @pytest.mark.parametrize("answer", [Answer(500), Answer(503), Answer(429, "60"), UnreachableError("timeout")])
    def test_leaves_a_receiver_alone_that_fails_five_times_in_a_row(self, answer: Answer | Exception) -> None:
        line = Line()
        line.fail(answer)
        with pytest.raises(CircuitOpenError):
            line.sender.send(post())
        assert len(line.network.posts) == POLICY.failures
        line.now += PAUSE
        assert line.sender.send(post()) == Answer(200)
        assert line.state == "closed"

    @pytest.mark.parametrize("answer", [Answer(200), Answer(302), Answer(400), Answer(404), Answer(410)])
    def test_goes_on_with_a_receiver_that_answers(self, answer: Answer) -> None:
        line = Line()
        line.fail(answer, times=20)
        assert line.state == "closed"

    def test_holds_nothing_against_a_receiver_that_nothing_was_sent_to(self) -> None:
        line = Line()
        line.fail(ForbiddenTargetError("no"), times=20)
        assert line.state == "closed"

    def test_delays_no_other_receiver(self) -> None:
        line = Line()
        line.fail(UnreachableError("timeout"))
        assert line.sender.send(post("stock")) == Answer(200)

    def test_makes_a_deliverys_last_attempt_all_the_same(self) -> None:
        line = Line()
        line.fail(Answer(503))
        assert line.sender.send(post(last=True)) == Answer(200)
        assert line.state == "closed"

    def test_never_puts_a_url_into_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        Line().fail(Answer(503))
        [line] = [vars(record) for record in caplog.records if record.message == "circuit_changed"]
        assert line["circuit"] == f"webhook:{ORDERS}"
        assert "example" not in str(line)


@pytest.fixture
def attempts(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """The fields of every log line of an attempt."""
    caplog.set_level(logging.INFO)
    return lambda: [vars(record) for record in caplog.records if record.message == "delivery_attempted"]


def broken(receivers: tuple[str, ...] = ("orders",), *, answers: int = 10_000) -> World:
    """A world in which the circuit of the first receiver is open, and nothing is parked."""
    world = World(map(receiver, receivers))
    world.sender.answers[ORDERS] = [Answer(503)] * answers
    for _ in range(POLICY.failures):
        assert GuardedSender(world.sender, world.breakers).send(post()) == Answer(503)
    world.sender.posts.clear()
    return world


class TestADelivery:
    def test_is_parked_unsent_while_the_circuit_is_open_and_told_when_the_receiver_is_back(
        self, attempts: Callable[[], list[dict[str, Any]]]
    ) -> None:
        world = broken(answers=POLICY.failures)
        world.completed()
        world.pump()
        [line] = attempts()
        assert (line["outcome"], line["problem"], line["status"]) == ("parked", "circuit_open", None)
        assert world.sender.posts == []
        assert len(world.waiting()) == 1
        world.pass_time(60)
        assert [line["outcome"] for line in attempts()] == ["parked", "delivered"]
        assert len(world.sender.posts) == 1
        assert world.parked() == []

    def test_waits_at_least_until_the_circuit_may_be_asked_again(self) -> None:
        world = broken()
        opened = world.scene.clock()
        _, told = world.completed()
        world.notify()(pushed(told))
        world.deliver()(pushed(world.scene.publisher.on("deliveries")[-1]))
        assert world.parking.entries(opened + timedelta(seconds=PAUSE - 0.001)) == []
        assert len(world.waiting()) == 1

    def test_to_another_receiver_goes_out_at_once(self) -> None:
        world = broken(("orders", "stock"))
        world.completed()
        world.pump()
        assert (len(world.sender.to("orders")), len(world.sender.to("stock"))) == (0, 1)

    def test_is_never_given_up_without_a_last_attempt(
        self, attempts: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A day of failures of others keeps the circuit open all the time."""
        world = broken()
        world.completed()
        world.pump()
        monkeypatch.setattr(world, "breakers", Breakers(BreakerPolicy(failures=1, pause=10 * 86_400.0)))
        GuardedSender(world.sender, world.breakers).send(post())
        world.sender.posts.clear()
        world.pass_time(25 * 3600)
        assert [line["outcome"] for line in attempts()][-2:] == ["parked", "expired"]
        assert [line["problem"] for line in attempts()[:-1]] == ["circuit_open"] * (len(attempts()) - 1)
        assert (attempts()[-1]["status"], len(world.sender.posts)) == (503, 1)
        [letter] = world.scene.publisher.on("dead-letters")
        assert letter.attributes["reason"] == "expired: 503"
