"""The main path on the real servers: emulated bucket and topics, functions under functions-framework, the worker."""

from __future__ import annotations

import hashlib
import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from local.storefront import Accepted, RefusedError, Storefront
from tests import asking
from tests.integration.pipeline.deliveries import CUTOUT, completed, failed, finalized, job_push
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from local.notifications import Notifications
    from local.stack import Stack


class TestCacheAnswers:
    def test_a_new_photo_is_a_miss_and_its_result_can_be_fetched(
        self, storefront: Storefront, notifications: Notifications, photo: bytes
    ) -> None:
        job = storefront.upload(photo, "image/jpeg", [CUTOUT])

        told = completed(notifications.wait_for(job.job_id, seconds=PATIENCE))
        assert [result.cache for result in told.results] == ["miss"]
        assert told.cost_usd > 0
        status = storefront.wait(job, seconds=PATIENCE)
        assert (status["state"], status["cache"]) == ("done", "miss")
        cutout = Image.open(BytesIO(storefront.download(status["results"][0]["url"])))
        assert (cutout.size, cutout.mode) == ((128, 96), "RGBA")

    def test_the_same_photo_again_is_a_hit_under_a_job_of_its_own(
        self, storefront: Storefront, notifications: Notifications, photo: bytes
    ) -> None:
        first = storefront.upload(photo, "image/jpeg", [CUTOUT])
        told_first = completed(notifications.wait_for(first.job_id, seconds=PATIENCE))
        second = storefront.upload(photo, "image/jpeg", [CUTOUT])
        told_second = completed(notifications.wait_for(second.job_id, seconds=PATIENCE))

        assert told_second.results[0].cache == "hit"
        assert told_second.results[0].object == told_first.results[0].object
        assert told_second.lane is None

    def test_a_hash_of_a_known_photo_is_answered_without_an_upload(
        self, stack: Stack, storefront: Storefront, notifications: Notifications, photo: bytes
    ) -> None:
        first = storefront.upload(photo, "image/jpeg", [CUTOUT])
        notifications.wait_for(first.job_id, seconds=PATIENCE)
        job = storefront.upload(photo, "image/jpeg", [CUTOUT], sha256=hashlib.sha256(photo).hexdigest())

        assert job.cached is not None
        assert job.cached["cache"] == "hit"
        assert stack.store.stat(stack.buckets.uploads, f"{stack.tenant}/{job.job_id}") is None
        assert storefront.status(job)["state"] == "done"
        completed(notifications.wait_for(job.job_id, seconds=PATIENCE))

    def test_another_effect_is_rendered_from_the_matte_without_the_worker(
        self, storefront: Storefront, notifications: Notifications, photo: bytes
    ) -> None:
        first = storefront.upload(photo, "image/jpeg", [CUTOUT])
        notifications.wait_for(first.job_id, seconds=PATIENCE)
        job = storefront.restyle(first, [{"effect": "black_white"}])

        told = completed(notifications.wait_for(job.job_id, seconds=PATIENCE))
        assert (told.results[0].cache, told.lane) == ("matte", "cpu")
        assert "network" not in told.timings

    def test_several_recipes_of_one_upload_arrive_in_one_notification(
        self, storefront: Storefront, notifications: Notifications, photo: bytes
    ) -> None:
        white = {"kind": "color", "color": "#ffffff"}
        recipes = [CUTOUT, {"format": "mask"}, {"format": "jpg", "background": white}, {"max_side": 32}]
        job = storefront.upload(photo, "image/jpeg", recipes)

        told = completed(notifications.wait_for(job.job_id, seconds=PATIENCE))
        assert [result.content_type for result in told.results] == [
            "image/png",
            "image/png",
            "image/jpeg",
            "image/png",
        ]
        assert (told.results[3].width, told.results[3].height) == (32, 24)


class TestRefusedPhotos:
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            pytest.param(b"<html><body>no photo</body></html>" * 20, "unsupported_format", id="not an image"),
            pytest.param(b"\xff\xd8\xff\xe0" + b"\x00" * 300, "corrupt_image", id="broken JPEG"),
        ],
    )
    def test_what_is_no_photo_ends_as_a_failed_job_with_its_code(
        self, storefront: Storefront, notifications: Notifications, data: bytes, code: str
    ) -> None:
        job = storefront.upload(data, "image/jpeg", [CUTOUT])

        told = failed(notifications.wait_for(job.job_id, seconds=PATIENCE))
        assert (told.code, told.retryable) == (code, False)
        status = storefront.wait(job, seconds=PATIENCE)
        assert (status["state"], status["error"]["code"]) == ("failed", code)

    def test_a_photo_with_too_many_pixels_is_refused_by_its_header_alone(
        self, storefront: Storefront, notifications: Notifications
    ) -> None:
        header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n" + _png_chunk(b"IHDR", header) + _png_chunk(b"IDAT", b"") + _png_chunk(b"IEND", b"")
        job = storefront.upload(bomb, "image/png", [CUTOUT])

        told = failed(notifications.wait_for(job.job_id, seconds=PATIENCE))
        assert told.code == "too_many_pixels"

    def test_a_photo_over_30_mb_is_refused_where_the_bucket_let_it_in(
        self, stack: Stack, storefront: Storefront, notifications: Notifications
    ) -> None:
        """Cloud Storage holds a PUT to its signed range of lengths; fake-gcs-server doesn't."""
        ticket = asking.post(
            f"{stack.api_url}/uploads",
            headers={"X-Api-Key": stack.api_key},
            json={"content_type": "image/jpeg", "size": 1000},
        ).json()
        put = ticket["upload"]
        assert put["headers"]["x-goog-content-length-range"] == "1,31457280"
        too_large = b"\xff\xd8\xff\xe0" + bytes(31_457_277)
        asking.put(put["url"], content=too_large, headers=put["headers"]).raise_for_status()

        told = failed(notifications.wait_for(ticket["job_id"], seconds=PATIENCE))
        assert (told.code, told.retryable) == ("too_large", False)
        status = storefront.wait(Accepted(ticket["job_id"], ticket["token"], None, None), seconds=PATIENCE)
        assert (status["state"], status["error"]["code"]) == ("failed", "too_large")

    def test_a_declared_size_over_the_limit_gets_no_signed_url(self, stack: Stack) -> None:
        answer = asking.post(
            f"{stack.api_url}/uploads",
            headers={"X-Api-Key": stack.api_key},
            json={"content_type": "image/jpeg", "size": 31_457_281},
        )
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "too_large"
        assert "31457280" in answer.json()["error"]["message"]


class TestDuplicates:
    def test_a_finalized_event_that_comes_twice_is_told_under_the_same_id(
        self, stack: Stack, storefront: Storefront, notifications: Notifications, photo: bytes
    ) -> None:
        job = storefront.upload(photo, "image/jpeg", [CUTOUT])
        notifications.wait_for(job.job_id, seconds=PATIENCE)
        asking.post(f"{stack.events_url}/on_upload", **finalized(stack, job)).raise_for_status()

        told = until(lambda: notifications.of(job.job_id), lambda heard: len(heard) >= 2)
        assert len({one.event.id for one in told}) == 1
        assert all(one.event.data == told[0].event.data for one in told)

    def test_a_job_message_that_comes_again_after_the_end_tells_the_same_outcome(
        self, stack: Stack, storefront: Storefront, notifications: Notifications, photo: bytes
    ) -> None:
        job = storefront.upload(photo, "image/jpeg", [CUTOUT])
        first = notifications.wait_for(job.job_id, seconds=PATIENCE)
        answer = asking.post(f"{stack.worker_url}/jobs", json=job_push(stack, job))

        assert answer.status_code == 204
        told = until(lambda: notifications.of(job.job_id), lambda heard: len(heard) >= 2)
        assert {one.event.id for one in told} == {first.event.id}

    def test_the_same_photo_several_times_at_once_is_computed_once_for_all(
        self, storefront: Storefront, notifications: Notifications, photo: bytes
    ) -> None:
        jobs = [storefront.upload(photo, "image/jpeg", [CUTOUT]) for _ in range(3)]
        told = [completed(notifications.wait_for(job.job_id, seconds=PATIENCE)).results[0] for job in jobs]
        assert len({result.object for result in told}) == 1
        assert [result.cache for result in told].count("miss") == 1


class TestMissingUploads:
    def test_a_job_whose_upload_is_gone_fails_for_good(
        self, stack: Stack, storefront: Storefront, notifications: Notifications, photo: bytes
    ) -> None:
        stack.stop_worker()
        try:
            job = storefront.upload(photo, "image/jpeg", [CUTOUT])
            until(lambda: storefront.status(job), lambda status: status["state"] == "queued")
            stack.store.delete(stack.buckets.uploads, f"{stack.tenant}/{job.job_id}")
        finally:
            stack.start_worker()
        told = failed(notifications.wait_for(job.job_id, seconds=90))
        assert (told.code, told.retryable) == ("upload_missing", False)


class TestAccess:
    def test_another_jobs_token_is_refused(self, storefront: Storefront, photo: bytes, stack: Stack) -> None:
        mine = storefront.upload(photo, "image/jpeg", [CUTOUT])
        other = storefront.upload(photo, "image/jpeg", [CUTOUT])
        answer = asking.get(f"{stack.api_url}/jobs/{mine.job_id}", headers={"Authorization": f"Bearer {other.token}"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")

    def test_another_tenants_token_finds_no_job(self, storefront: Storefront, photo: bytes, stack: Stack) -> None:
        mine = storefront.upload(photo, "image/jpeg", [CUTOUT])
        foreign = f"{stack.other_tenant}.{mine.token.partition('.')[2]}"
        answer = asking.get(f"{stack.api_url}/jobs/{mine.job_id}", headers={"Authorization": f"Bearer {foreign}"})
        assert answer.status_code == 404

    def test_a_hash_finds_nothing_of_another_tenant(
        self, stack: Stack, storefront: Storefront, notifications: Notifications, photo: bytes
    ) -> None:
        job = storefront.upload(photo, "image/jpeg", [CUTOUT])
        notifications.wait_for(job.job_id, seconds=PATIENCE)
        with Storefront(stack.api_url, stack.other_api_key) as other:
            answer = other.upload(photo, "image/jpeg", [CUTOUT], sha256=hashlib.sha256(photo).hexdigest())
        assert answer.cached is None

    def test_an_unknown_key_is_refused(self, stack: Stack) -> None:
        with Storefront(stack.api_url, "nobody's key") as nobody, pytest.raises(RefusedError, match="unauthorized"):
            nobody.upload(b"x", "image/jpeg", [CUTOUT])

    def test_a_page_of_a_foreign_origin_is_refused(self, stack: Stack) -> None:
        answer = asking.post(
            f"{stack.api_url}/uploads",
            headers={"X-Api-Key": stack.api_key, "Origin": "https://evil.example"},
            json={"content_type": "image/jpeg", "size": 1},
        )
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


class TestDeletion:
    def test_deleting_the_only_job_of_a_photo_leaves_nothing_of_it(
        self, stack: Stack, storefront: Storefront, notifications: Notifications, photo: bytes
    ) -> None:
        job = storefront.upload(photo, "image/jpeg", [CUTOUT])
        told = completed(notifications.wait_for(job.job_id, seconds=PATIENCE))
        content = told.results[0].object.name.rsplit("/", 2)[0]
        storefront.delete(job)

        assert stack.store.stat(stack.buckets.uploads, f"{stack.tenant}/{job.job_id}") is None
        assert not stack.store.list(stack.buckets.results, content)
        assert not stack.store.list(stack.buckets.mattes, content)
        with pytest.raises(RefusedError, match="not_found"):
            storefront.status(job)

    def test_deleting_one_of_two_jobs_keeps_what_the_other_uses(
        self, storefront: Storefront, notifications: Notifications, photo: bytes
    ) -> None:
        jobs = [storefront.upload(photo, "image/jpeg", [CUTOUT]) for _ in range(2)]
        for job in jobs:
            notifications.wait_for(job.job_id, seconds=PATIENCE)
        storefront.delete(jobs[0])

        result = storefront.status(jobs[1])["results"][0]
        assert len(storefront.download(result["url"])) == result["bytes"]


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
