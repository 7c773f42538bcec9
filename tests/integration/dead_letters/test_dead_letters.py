"""What is given up, on the real servers: told, kept, and done after all."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from PIL import Image

from cloud.pubsub import GooglePublisher
from events.ids import event_id, new_job_id
from events.messages import ResultCompleted, ResultFailed
from events.names import record_name
from events.trace import new_traceparent
from events.validation import decode_json
from jobs.dead_letters import DeadLetter
from jobs.desk import utc_now
from jobs.outcome import JobRun
from jobs.records import Queued
from local import topology
from local.stack import ROOT
from tests import asking
from tests.integration.dead_letters.conftest import refusing_worker
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from events.envelope import Outgoing
    from local.notifications import Notifications
    from local.stack import Stack
    from local.storefront import Accepted, Storefront

LETTERS = topology.DEAD_LETTERS_BUCKET
FORWARDED = {
    "CloudPubSubDeadLetterSourceDeliveryCount": "5",
    "CloudPubSubDeadLetterSourceSubscription": "jobs-worker",
    "CloudPubSubDeadLetterSourceSubscriptionProject": "cutout-local",
    "CloudPubSubDeadLetterSourceTopicPublishTime": "2026-11-23T12:00:00.000Z",
}
"""What the emulator, like the service, adds to a message that it gives up."""


@pytest.fixture
def photo(request: pytest.FixtureRequest) -> bytes:
    """A JPEG that no other test has uploaded."""
    seed = zlib.crc32(request.node.nodeid.encode())
    pixels = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "jpeg")
    return encoded.getvalue()


@pytest.fixture
def publisher(stack: Stack) -> GooglePublisher:
    return GooglePublisher.connect(project=stack.project, emulator=stack.pubsub)


def test_a_job_that_fails_at_every_attempt_is_told_so_and_done_by_a_replay(
    stack: Stack, storefront: Storefront, notifications: Notifications, photo: bytes
) -> None:
    with refusing_worker(stack) as refusals:
        job = storefront.upload(photo, "image/jpeg", [{}])
        told = notifications.wait_for(job.job_id, seconds=PATIENCE)
    assert isinstance(told.result, ResultFailed)
    assert (told.result.code, told.result.retryable, told.result.run) == ("retries_exhausted", True, 0)
    assert refusals.counts == {event_id(job.job_id, "cutout.job.requested.v1", "gpu", 0): 5}
    assert storefront.status(job)["error"]["code"] == "retries_exhausted"
    [letter] = letters_of(stack, job)
    assert (letter.message.subscription, letter.message.attempts) == ("jobs-worker", 5)
    assert not any(name.startswith("CloudPubSub") for name in letter.message.attributes)

    listed = command(stack, "list")
    assert job.job_id in listed.stdout
    assert "jobs-worker after 5 attempts" in listed.stdout
    replayed = command(stack, "replay", job.job_id)
    assert f"{job.job_id}: run 1 completed (miss)" in replayed.stdout

    done = until(lambda: notifications.of(job.job_id), lambda heard: len(heard) >= 2)[1]
    assert isinstance(done.result, ResultCompleted)
    assert (done.result.job_id, done.result.run) == (job.job_id, 1)
    assert done.event.id == event_id(job.job_id, "cutout.result.completed.v1", "", 1)
    assert done.event.traceparent.split("-")[1] == told.event.traceparent.split("-")[1]
    status = storefront.wait(job, seconds=PATIENCE)
    assert status["state"] == "done"
    assert storefront.download(status["results"][0]["url"])
    assert records_of(stack, job) == {"awaiting_upload", "queued", "failed-0", "done"}

    assert job.job_id not in command(stack, "list").stdout
    again = command(stack, "replay", job.job_id, succeeds=False)
    assert "not replayed: it is done" in again.stdout


def test_a_replay_that_fails_again_is_a_run_of_its_own_and_can_be_replayed(
    stack: Stack, storefront: Storefront, notifications: Notifications, publisher: GooglePublisher, photo: bytes
) -> None:
    with refusing_worker(stack):
        job = given_up_job(stack, storefront, notifications, publisher, photo)
        failed_again = command(stack, "replay", job.job_id, succeeds=False)
        assert "run 1 failed: retries_exhausted" in failed_again.stdout
    until(lambda: notifications.of(job.job_id), lambda heard: len({one.event.id for one in heard}) == 2)
    assert [letter.name.rpartition("/")[2] for letter in letters_of(stack, job)] == ["run-0-gpu.json", "run-1-gpu.json"]

    assert f"{job.job_id}: run 2 completed" in command(stack, "replay", "--all").stdout
    assert records_of(stack, job) == {"awaiting_upload", "queued", "failed-0", "failed-1", "done"}


def test_a_dead_letter_of_a_job_that_is_done_tells_the_completed_event_again(
    stack: Stack, storefront: Storefront, notifications: Notifications, publisher: GooglePublisher, photo: bytes
) -> None:
    job = storefront.upload(photo, "image/jpeg", [{}])
    first = notifications.wait_for(job.job_id, seconds=PATIENCE)
    assert isinstance(first.result, ResultCompleted)
    give_up(publisher, queued_message(stack, job))

    told = until(lambda: notifications.of(job.job_id), lambda heard: len(heard) >= 2)
    assert {one.event.id for one in told} == {first.event.id}
    assert all(one.event.data == first.event.data for one in told)
    assert letters_of(stack, job) == []


def test_a_dead_letter_that_comes_twice_fails_the_job_once(
    stack: Stack, storefront: Storefront, notifications: Notifications, publisher: GooglePublisher, photo: bytes
) -> None:
    with refusing_worker(stack):
        job = given_up_job(stack, storefront, notifications, publisher, photo)
        give_up(publisher, queued_message(stack, job))
        told = until(lambda: notifications.of(job.job_id), lambda heard: len(heard) >= 2)
    assert len({one.event.id for one in told}) == 1
    assert all(one.event.data == told[0].event.data for one in told)
    assert len(letters_of(stack, job)) == 1


def test_nothing_is_kept_of_a_job_that_the_shopper_took_back(
    stack: Stack, storefront: Storefront, notifications: Notifications, publisher: GooglePublisher, photo: bytes
) -> None:
    job = storefront.upload(photo, "image/jpeg", [{}])
    notifications.wait_for(job.job_id, seconds=PATIENCE)
    message = queued_message(stack, job)
    storefront.delete(job)
    give_up(publisher, message)
    marker = f"after {job.job_id}"
    publisher.publish("dead-letters", marker.encode(), {})

    until(lambda: others(stack), lambda kept: any(letter.message.data == marker.encode() for letter in kept))
    assert letters_of(stack, job) == []
    assert {one.event.data.type for one in notifications.of(job.job_id)} == {"cutout.result.completed.v1"}


@pytest.mark.parametrize(
    ("data", "attributes", "reason"),
    [
        pytest.param(b"\xff\x00 not ours", {}, "$.ce-type: required, but missing", id="bytes of any kind"),
        pytest.param(b"{}", {"ce-type": "[/red]else.v1"}, "[/red]else.v1", id="an event of another type"),
    ],
)
def test_a_message_that_is_no_job_is_kept_with_its_reason(
    stack: Stack, publisher: GooglePublisher, data: bytes, attributes: dict[str, str], reason: str
) -> None:
    publisher.publish("dead-letters", data, attributes | FORWARDED)

    def same(letters: list[DeadLetter]) -> list[DeadLetter]:
        return [letter for letter in letters if letter.message.data == data]

    [letter] = same(until(lambda: others(stack), lambda kept: bool(same(kept))))
    assert reason in letter.reason
    assert letter.message.attributes == attributes
    listed = command(stack, "list", columns=400).stdout
    assert letter.name in listed
    assert reason in listed
    refused = command(stack, "replay", letter.name, succeeds=False)
    assert "nothing says where it was published" in refused.stdout


def test_another_event_of_ours_goes_back_to_its_topic_as_it_was(
    stack: Stack, notifications: Notifications, publisher: GooglePublisher
) -> None:
    job_id = new_job_id(utc_now())
    failed = ResultFailed(
        job_id=job_id, tenant="acme", code="no_foreground", message="nothing", retryable=False, failed_at=utc_now()
    )
    run = JobRun(job_id=job_id, tenant="acme", run=0, source="test", traceparent=new_traceparent())
    message = run.outgoing(failed, "results", at=utc_now())
    give_up(publisher, message)

    def same(letters: list[DeadLetter]) -> list[DeadLetter]:
        return [letter for letter in letters if letter.message.data == message.data.encode()]

    [letter] = same(until(lambda: others(stack), lambda kept: bool(same(kept))))
    assert "1 of 1 letters sent again" in command(stack, "replay", letter.name).stdout
    told = notifications.wait_for(job_id, seconds=PATIENCE)
    assert (told.event.id, told.event.data) == (message.attributes["ce-id"], failed)
    assert same(others(stack)) == []


def test_an_upload_that_nobody_could_look_at_fails_its_job(
    stack: Stack, storefront: Storefront, notifications: Notifications, publisher: GooglePublisher
) -> None:
    headers = {"X-Api-Key": stack.api_key}
    wanted = {"content_type": "image/jpeg", "size": 100}
    job_id = asking.post(f"{stack.api_url}/uploads", headers=headers, json=wanted).json()["job_id"]
    finalized = {
        "bucket": stack.buckets.uploads,
        "name": f"{stack.tenant}/{job_id}",
        "generation": "1",
        "size": "100",
        "timeCreated": "2026-11-23T12:00:00Z",
    }
    publisher.publish("dead-letters", httpx.Response(200, json=finalized).content, FORWARDED)

    told = notifications.wait_for(job_id, seconds=PATIENCE).result
    assert isinstance(told, ResultFailed)
    assert told.code == "retries_exhausted"
    assert "upload it again" in told.message


def test_a_job_whose_photo_is_gone_is_not_replayed(
    stack: Stack, storefront: Storefront, notifications: Notifications, publisher: GooglePublisher, photo: bytes
) -> None:
    with refusing_worker(stack):
        job = given_up_job(stack, storefront, notifications, publisher, photo)
        stack.store.delete(stack.buckets.uploads, f"{stack.tenant}/{job.job_id}")
    assert "its photo is no longer kept" in command(stack, "replay", job.job_id, succeeds=False).stdout
    assert "photo gone" in command(stack, "list").stdout
    assert f"{job.job_id}: left out: its photo is no longer kept" in command(stack, "replay", "--all").stdout
    assert "there is no dead letter of nothing" in command(stack, "replay", "nothing", succeeds=False).stdout


def given_up_job(
    stack: Stack, storefront: Storefront, notifications: Notifications, publisher: GooglePublisher, photo: bytes
) -> Accepted:
    """A job that a dead letter ended; all the attempts before it would only take time."""
    job = storefront.upload(photo, "image/jpeg", [{}])
    until(lambda: storefront.status(job), lambda status: status["state"] == "queued")
    give_up(publisher, queued_message(stack, job))
    notifications.wait_for(job.job_id, seconds=PATIENCE)
    return job


def give_up(publisher: GooglePublisher, message: Outgoing) -> None:
    """What Pub/Sub does after the last attempt."""
    publisher.publish("dead-letters", message.data.encode(), message.attributes | FORWARDED)


def queued_message(stack: Stack, job: Accepted) -> Outgoing:
    stored = stack.store.read(stack.buckets.jobs, record_name(stack.tenant, job.job_id, "queued"))
    assert stored is not None
    message = decode_json(stored.data, Queued).message
    assert message is not None
    return message


def letters_of(stack: Stack, job: Accepted) -> list[DeadLetter]:
    return read_letters(stack, f"{stack.tenant}/{job.job_id}/")


def others(stack: Stack) -> list[DeadLetter]:
    return read_letters(stack, "~other/")


def read_letters(stack: Stack, prefix: str) -> list[DeadLetter]:
    stored = [stack.store.read(LETTERS, stat.name) for stat in stack.store.list(LETTERS, prefix)]
    return [decode_json(one.data, DeadLetter) for one in stored if one is not None]


def records_of(stack: Stack, job: Accepted) -> set[str]:
    prefix = f"{stack.tenant}/{job.job_id}/"
    names = (stat.name for stat in stack.store.list(stack.buckets.jobs, prefix))
    return {name.removeprefix(prefix).removesuffix(".json") for name in names}


def command(
    stack: Stack, *arguments: str, succeeds: bool = True, columns: int = 200
) -> subprocess.CompletedProcess[str]:
    """`python -m local dead-letters`, as a user runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "local", "dead-letters", *arguments, "--state", stack.state],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode == 0) is succeeds, done.stdout + done.stderr
    return done
