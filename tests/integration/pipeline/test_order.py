"""Events in an order in which nobody meant them, on the real servers."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from events.names import job_prefix, upload_name
from local.storefront import Accepted, RefusedError
from tests import asking
from tests.integration.pipeline.deliveries import CUTOUT, completed, finalized, job_push
from tests.integration.pipeline.own_worker import a_worker
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.notifications import Notifications
    from local.stack import Stack
    from local.storefront import Storefront


@pytest.fixture
def unworked(stack: Stack) -> Iterator[Stack]:
    """The stack without its worker, until the test starts it."""
    stack.stop_worker()
    yield stack
    stack.stop_worker()
    stack.start_worker()


@pytest.fixture
def queued(unworked: Stack, storefront: Storefront, photo: bytes) -> Accepted:
    """A job whose message waits for a worker."""
    job = storefront.upload(photo, "image/jpeg", [CUTOUT])
    until(lambda: records(unworked, job), lambda names: "queued.json" in names)
    return job


def records(stack: Stack, job: Accepted) -> set[str]:
    prefix = job_prefix(stack.tenant, job.job_id)
    return {stat.name.removeprefix(prefix) for stat in stack.store.list(stack.buckets.jobs, prefix)}


def wait_for_a_later_job(storefront: Storefront, notifications: Notifications, photo: bytes) -> None:
    """What was published before it has been heard by then."""
    turned = BytesIO()
    Image.open(BytesIO(photo)).rotate(90).save(turned, "jpeg")
    later = storefront.upload(turned.getvalue(), "image/jpeg", [CUTOUT])
    notifications.wait_for(later.job_id, seconds=PATIENCE)


class TestAfterADeletion:
    def test_an_upload_is_removed(
        self, stack: Stack, storefront: Storefront, notifications: Notifications, photo: bytes
    ) -> None:
        """The signed URL outlives its job."""
        ticket = asking.post(
            f"{stack.api_url}/uploads",
            headers={"X-Api-Key": stack.api_key},
            json={"content_type": "image/jpeg", "size": len(photo)},
        ).json()
        job = Accepted(ticket["job_id"], ticket["token"], None, None)
        storefront.delete(job)
        put = ticket["upload"]
        asking.put(put["url"], content=photo, headers=put["headers"]).raise_for_status()

        name = upload_name(stack.tenant, job.job_id)
        until(lambda: stack.store.stat(stack.buckets.uploads, name), lambda stat: stat is None)
        wait_for_a_later_job(storefront, notifications, photo)
        assert notifications.of(job.job_id) == []
        assert records(stack, job) == {"awaiting_upload.json", "deleted.json"}

    def test_a_finalized_event_and_a_job_message_bring_nothing_back_and_are_not_told_of(
        self, stack: Stack, storefront: Storefront, notifications: Notifications, photo: bytes
    ) -> None:
        job = storefront.upload(photo, "image/jpeg", [CUTOUT])
        told = completed(notifications.wait_for(job.job_id, seconds=PATIENCE))
        event, push = finalized(stack, job), job_push(stack, job)
        storefront.delete(job)

        asking.post(f"{stack.events_url}/on_upload", **event).raise_for_status()
        assert asking.post(f"{stack.worker_url}/jobs", json=push).status_code == 204
        wait_for_a_later_job(storefront, notifications, photo)
        assert len(notifications.of(job.job_id)) == 1
        content = told.results[0].object.name.rsplit("/", 2)[0]
        for bucket in (stack.buckets.results, stack.buckets.mattes):
            assert stack.store.list(bucket, content) == []
        assert stack.store.list(stack.buckets.jobs, f"~references/{content}") == []

    def test_a_job_that_waited_for_the_worker_is_neither_done_nor_told(
        self, unworked: Stack, storefront: Storefront, notifications: Notifications, queued: Accepted, photo: bytes
    ) -> None:
        storefront.delete(queued)
        unworked.start_worker()

        wait_for_a_later_job(storefront, notifications, photo)
        assert notifications.of(queued.job_id) == []
        assert records(unworked, queued) == {"awaiting_upload.json", "queued.json", "deleted.json"}
        with pytest.raises(RefusedError, match="not_found"):
            storefront.status(queued)


class TestOvertaking:
    def test_a_run_that_comes_after_its_replay_tells_what_the_job_came_to(
        self, unworked: Stack, notifications: Notifications, queued: Accepted
    ) -> None:
        with a_worker(unworked) as (_, url):
            assert asking.post(f"{url}/jobs", json=job_push(unworked, queued, run=1)).status_code == 204
        first = notifications.wait_for(queued.job_id, seconds=PATIENCE)
        assert completed(first).run == 1
        unworked.start_worker()

        told = until(lambda: notifications.of(queued.job_id), lambda heard: len(heard) >= 2)
        assert {one.event.id for one in told} == {first.event.id}
        assert all(one.result == first.result for one in told)
        assert records(unworked, queued) == {"awaiting_upload.json", "queued.json", "done.json"}

    def test_a_worker_that_is_done_before_the_upload_is_told_of_again_has_done_it_once(
        self, unworked: Stack, notifications: Notifications, queued: Accepted
    ) -> None:
        """One message of the job waits from before, one more comes with the event."""
        asking.post(f"{unworked.events_url}/on_upload", **finalized(unworked, queued)).raise_for_status()
        with a_worker(unworked) as (_, url):
            assert asking.post(f"{url}/jobs", json=job_push(unworked, queued)).status_code == 204
        first = notifications.wait_for(queued.job_id, seconds=PATIENCE)
        assert [result.cache for result in completed(first).results] == ["miss"]
        asking.post(f"{unworked.events_url}/on_upload", **finalized(unworked, queued)).raise_for_status()
        unworked.start_worker()

        told = until(lambda: notifications.of(queued.job_id), lambda heard: len(heard) >= 3)
        assert {one.event.id for one in told} == {first.event.id}
        assert all(one.result == first.result for one in told)
