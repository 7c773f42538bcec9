from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from standardwebhooks import Webhook

from events.envelope import decode
from events.errors import NoForegroundError
from events.messages import DeliveryRequested
from events.trace import trace_id
from tests.unit.examples import TENANT
from tests.unit.webhooks.world import POLICY, World, pushed, receiver, secret
from webhooks.errors import ForbiddenTargetError, UnreachableError
from webhooks.ports import Answer
from webhooks.subscriptions import Subscriptions

if TYPE_CHECKING:
    from events.envelope import Event, Outgoing


def requested(world: World) -> Outgoing:
    """The message that asks for the first attempt to tell of a job's completion."""
    _, told = world.completed()
    world.notify()(pushed(told))
    return world.scene.publisher.on("deliveries")[-1]


def answering(*answers: Answer | Exception) -> tuple[World, Outgoing]:
    world = World()
    world.sender.answers[f"{TENANT}/orders"] = list(answers)
    return world, requested(world)


def outage(attempts: int) -> World:
    """A receiver that will be back after so many attempts, the first of which was made."""
    world = World()
    world.sender.answers[f"{TENANT}/orders"] = [Answer(503)] * attempts
    world.completed()
    world.pump()
    return world


def dead_letter(world: World) -> tuple[Event[DeliveryRequested], str]:
    [message] = world.scene.publisher.on("dead-letters")
    return decode(message.data, message.attributes, DeliveryRequested), message.attributes["reason"]


@pytest.fixture
def attempts(caplog: pytest.LogCaptureFixture) -> Any:
    """The fields of every log line of an attempt."""
    caplog.set_level(logging.INFO)
    return lambda: [vars(record) for record in caplog.records if record.message == "delivery_attempted"]


class TestTheRequest:
    def test_is_signed_under_the_deliverys_id(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world, message = answering()
        world.deliver()(pushed(message))
        [post] = world.sender.posts
        [event] = world.deliveries()
        assert post.url == "https://orders.example/hook?key=topsecret"
        assert post.headers["webhook-id"] == event.data.delivery_id
        assert post.headers["webhook-timestamp"] == str(int(world.scene.clock().timestamp()))
        expected = Webhook(secret(1)).sign(event.data.delivery_id, world.scene.clock(), post.body.decode())
        assert post.headers["webhook-signature"] == expected
        assert post.headers["Content-Type"] == "application/json"
        assert trace_id(post.headers["traceparent"]) == trace_id(event.traceparent)

    def test_carries_the_result_with_links_in_place_of_objects(self) -> None:
        world, message = answering()
        world.deliver()(pushed(message))
        body = msgspec.json.decode(world.sender.posts[0].body)
        told = world.scene.completed(world.scene.jobs[0])
        assert (body["type"], body["timestamp"]) == (
            "cutout.result.completed.v1",
            told.completed_at.isoformat().replace("+00:00", "Z"),
        )
        assert (body["data"]["job_id"], body["data"]["cost_usd"]) == (told.job_id, str(told.cost_usd))
        for given, result in zip(body["data"]["results"], told.results, strict=True):
            assert "object" not in given
            assert given["url"].startswith(f"https://storage.test/{result.object.bucket}/")
            assert datetime.fromisoformat(given["expires_at"]) == world.scene.clock() + world.lives.link
            assert (given["width"], given["height"], given["cache"]) == (result.width, result.height, "miss")

    def test_says_null_for_a_result_that_is_gone(self) -> None:
        world, _ = answering()
        job, told = world.completed()
        world.scene.desk.removal.remove(job.tenant, job.job_id)
        world.scene.desk.removal.remove(TENANT, world.scene.jobs[0].job_id)
        world.notify()(pushed(told))
        world.deliver()(pushed(world.scene.publisher.on("deliveries")[-1]))
        body = msgspec.json.decode(world.sender.posts[0].body)
        assert [(each["url"], each["expires_at"]) for each in body["data"]["results"]] == [(None, None)] * 2

    def test_carries_a_failure_as_it_is(self) -> None:
        world = World()
        world.notify()(pushed(world.failed(NoForegroundError("nothing stands out"))))
        world.deliver()(pushed(world.scene.publisher.on("deliveries")[-1]))
        body = msgspec.json.decode(world.sender.posts[0].body)
        assert body["type"] == "cutout.result.failed.v1"
        assert (body["data"]["code"], body["data"]["retryable"]) == ("no_foreground", False)

    def test_has_a_signature_for_each_secret_that_is_valid_now(self) -> None:
        world, message = answering()
        world.subscriptions = Subscriptions({TENANT: (receiver("orders", secrets=(secret(2), secret(3))),)})
        world.deliver()(pushed(message))
        [post] = world.sender.posts
        signatures = post.headers["webhook-signature"].split(" ")
        assert signatures == [
            Webhook(secret(n)).sign(post.headers["webhook-id"], world.scene.clock(), post.body.decode()) for n in (2, 3)
        ]


class TestAnAnswer:
    def test_of_success_ends_the_delivery(self, attempts: Any) -> None:
        world, message = answering(Answer(204))
        world.deliver()(pushed(message))
        assert world.parked() == []
        assert world.scene.publisher.on("dead-letters") == []
        assert (attempts()[0]["outcome"], attempts()[0]["status"]) == ("delivered", 204)

    @pytest.mark.parametrize(
        ("answer", "status", "problem"),
        [
            (Answer(500), 500, None),
            (Answer(429, "60"), 429, None),
            (Answer(302), 302, None),
            (Answer(503, "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"), 503, None),
            (UnreachableError("timeout"), None, "timeout"),
            (UnreachableError("tls"), None, "tls"),
        ],
    )
    def test_that_may_change_is_acknowledged_and_parked(
        self, answer: Answer | Exception, status: int | None, problem: str | None, attempts: Any
    ) -> None:
        world, message = answering(answer)
        world.deliver()(pushed(message))
        [line] = attempts()
        assert (line["outcome"], line["status"], line["problem"]) == ("parked", status, problem)
        assert len(world.parked()) == 2
        assert world.sweep() == 0
        world.scene.clock.advance(61)
        assert world.sweep() == 1
        assert world.parked() == []
        first, second = world.deliveries()
        assert (second.data.attempt, second.data.delivery_id) == (2, first.data.delivery_id)
        assert second.id != first.id
        assert second.data.first_attempt_at == world.scene.clock() - timedelta(seconds=61)
        assert second.data.notice == first.data.notice

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (Answer(400), "rejected: 400"),
            (Answer(404), "rejected: 404"),
            (Answer(410), "rejected: 410"),
            (ForbiddenTargetError("no"), "rejected: forbidden"),
        ],
    )
    def test_that_will_not_change_goes_to_the_dead_letters(
        self, answer: Answer | Exception, reason: str, attempts: Any
    ) -> None:
        world, message = answering(answer)
        world.deliver()(pushed(message))
        letter, why = dead_letter(world)
        assert world.parked() == []
        assert why == reason
        assert letter.data == world.deliveries()[0].data
        assert attempts()[0]["outcome"] == "rejected"


class TestALongOutage:
    def test_ends_in_the_dead_letters_after_a_day_ready_for_a_new_start(self, attempts: Any) -> None:
        world = outage(1000)
        world.pass_time(POLICY.window.total_seconds() + 600)
        tries = len(world.sender.posts)
        letter, why = dead_letter(world)
        assert why == "expired: 503"
        assert 14 <= tries <= 20
        assert [line["attempt"] for line in attempts()] == list(range(1, tries + 1))
        assert len({post.headers["webhook-id"] for post in world.sender.posts}) == 1
        assert world.parked() == []

        world.sender.answers[f"{TENANT}/orders"] = [Answer(503)]
        world.scene.publisher.publish("deliveries", *raw(world.scene.publisher.on("dead-letters")[0]))
        world.pump()
        world.pass_time(60)
        assert [line["outcome"] for line in attempts()[tries:]] == ["parked", "delivered"]
        assert {post.headers["webhook-id"] for post in world.sender.posts[tries:]} == {letter.data.delivery_id}

    def test_leaves_the_receiver_with_links_that_work(self) -> None:
        world = outage(14)
        world.pass_time(POLICY.window.total_seconds())
        body = msgspec.json.decode(world.sender.posts[-1].body)
        sent = datetime.fromtimestamp(
            int(world.sender.posts[-1].headers["webhook-timestamp"]), tz=world.scene.clock().tzinfo
        )
        for result in body["data"]["results"]:
            assert datetime.fromisoformat(result["expires_at"]) >= sent + world.lives.link / 2

    def test_follows_a_receiver_to_its_new_url(self) -> None:
        world = outage(1)
        world.subscriptions = Subscriptions({TENANT: (receiver("orders", url="https://new.example/"),)})
        world.pass_time(120)
        assert [post.url for post in world.sender.posts] == [
            "https://orders.example/hook?key=topsecret",
            "https://new.example/",
        ]


def raw(message: Outgoing) -> tuple[bytes, dict[str, str]]:
    return message.data.encode(), message.attributes


def test_a_receiver_that_left_gets_nothing_more() -> None:
    world, message = answering()
    world.subscriptions = Subscriptions({})
    world.deliver()(pushed(message))
    assert (world.sender.posts, world.parked(), world.scene.publisher.on("dead-letters")) == ([], [], [])


def test_a_failed_attempt_that_is_delivered_twice_is_parked_once() -> None:
    world, message = answering(Answer(500), Answer(500))
    world.deliver()(pushed(message))
    world.scene.clock.advance(2)
    world.deliver()(pushed(message))
    assert len(world.parked()) == 2
    world.scene.clock.advance(60)
    assert world.sweep() == 1


def test_a_log_line_tells_of_an_attempt_but_never_the_url_or_a_secret(
    caplog: pytest.LogCaptureFixture, attempts: Any
) -> None:
    world, message = answering(Answer(500))
    world.deliver()(pushed(message))
    [line] = attempts()
    job = world.scene.jobs[0]
    assert (line["receiver"], line["job_id"], line["attempt"]) == (f"{TENANT}/orders", job.job_id, 1)
    assert line["delivery_id"] == world.sender.posts[0].headers["webhook-id"]
    assert line["seconds"] >= 0
    told = "\n".join(str(vars(record)) for record in caplog.records)
    assert "topsecret" not in told
    assert "whsec_" not in told
    assert "storage.test" not in told


def test_a_message_that_is_no_delivery_is_a_dead_letter_and_acknowledged() -> None:
    world = World()
    _, told = world.completed()
    world.deliver()(pushed(told))
    [letter] = world.scene.publisher.on("dead-letters")
    assert letter.data == told.data
    assert letter.attributes["reason"].startswith("$.ce-type: expected cutout.delivery.requested.v1")
    assert letter.attributes["refused-by"] == "deliver"
    assert (world.sender.posts, world.parked()) == ([], [])
