"""The client library on a bare page, against the real API and bucket, across origins."""

from __future__ import annotations

import hashlib
import time
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests import asking
from tests.browser.dying_line import DyingLine
from tests.browser.photos import encoded, heic, jpeg, phone_jpeg
from tests.browser.slow_line import SlowLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from playwright.sync_api import Route

    from tests.browser.shopper import Shopper

REFUSED = "Failed to load resource"


@pytest.fixture
def large_photo(request: pytest.FixtureRequest) -> bytes:
    """More than the buffers of a connection hold: what was sent is not what was heard."""
    return jpeg(request.node.nodeid, 1024, 768)


def problem(ended: dict[str, Any]) -> dict[str, Any]:
    assert "problem" in ended, ended
    told: dict[str, Any] = ended["problem"]
    return told


def brightness(picture: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(picture.convert("L"))


def lose(route: Route) -> None:
    route.abort("connectionreset")


def uploading(shopper: Shopper) -> int:
    """Bytes of the photo that went out so far."""
    return max((one["loaded"] for one in shopper.progress() if one["stage"] == "uploading"), default=0)


def abort(shopper: Shopper) -> dict[str, Any]:
    shopper.page.evaluate("() => window.run.controller.abort()")
    return shopper.end()


class TestUpload:
    def test_a_new_photo_goes_up_byte_for_byte_and_comes_back_cut_out(self, shopper: Shopper, photo: bytes) -> None:
        done = shopper.upload(photo)

        assert (done["state"], done["cache"], done["results"][0]["cache"]) == ("done", "miss", "miss")
        cutout = Image.open(BytesIO(asking.get(done["results"][0]["url"]).content))
        assert (cutout.size, cutout.mode) == ((128, 96), "RGBA")
        assert shopper.asked[0]["sha256"] == shopper.put_hash() == hashlib.sha256(photo).hexdigest()
        stages = shopper.stages()
        assert stages[:3] == ["preparing", "asking", "uploading"]
        assert stages[-1] == "done"
        assert uploading(shopper) == len(photo)

    def test_a_known_photo_is_a_hit_without_an_upload(self, shopper: Shopper, photo: bytes) -> None:
        shopper.upload(photo)
        again = shopper.upload(photo)

        assert again["cache"] == "hit"
        assert len(shopper.puts) == 1
        assert shopper.stages() == ["preparing", "asking", "done"]

    def test_another_effect_needs_no_second_upload(self, shopper: Shopper, photo: bytes) -> None:
        done = shopper.upload(photo)
        styled = shopper.call("restyle", done, [{"effect": "black_white"}])

        assert (styled["cache"], styled["results"][0]["recipe"]["effect"]) == ("matte", "black_white")
        assert styled["job_id"] != done["job_id"]
        assert len(shopper.puts) == 1

    def test_several_recipes_of_one_photo_come_in_their_order(self, shopper: Shopper, photo: bytes) -> None:
        done = shopper.upload(photo, options={"recipes": [{"format": "mask"}, {"max_side": 64}]})

        assert [(one["width"], one["height"]) for one in done["results"]] == [(128, 96), (64, 48)]

    def test_a_job_started_on_an_earlier_page_can_be_followed_and_removed(self, shopper: Shopper, photo: bytes) -> None:
        shopper.upload(photo)
        job = next(one["job"] for one in shopper.progress() if one["stage"] == "uploading")
        handle = {"job_id": job["job_id"], "token": job["token"]}
        shopper.visit("/healthz")

        assert shopper.call("follow", handle)["state"] == "done"
        shopper.call("remove", handle)
        shopper.expected.append(REFUSED)
        assert problem(shopper.call("follow", handle))["code"] == "not_found"


class TestPreparation:
    def test_an_over_large_photo_is_fitted_upright_in_a_worker_and_hashed_as_it_goes_up(self, shopper: Shopper) -> None:
        data = phone_jpeg("large", 3000, 1500)
        done = shopper.upload(data, client={"maxSide": 1000})

        assert shopper.workers == 1
        assert shopper.asked[0]["sha256"] == shopper.put_hash() != hashlib.sha256(data).hexdigest()
        assert (done["results"][0]["width"], done["results"][0]["height"]) == (500, 1000)
        sent = Image.open(BytesIO(shopper.uploaded()))
        assert sent.size == (500, 1000)
        assert brightness(sent.crop((0, 0, 240, 1000))).max() < brightness(sent.crop((260, 0, 500, 1000))).min()

    def test_a_photo_of_the_largest_side_is_left_as_it_is(self, shopper: Shopper, photo: bytes) -> None:
        shopper.upload(photo, client={"maxSide": 128})
        assert shopper.put_hash() == hashlib.sha256(photo).hexdigest()

    def test_where_no_worker_can_be_had_the_page_prepares_the_photo(self, shopper: Shopper) -> None:
        shopper.route("photo-worker.js", "GET", [lambda route: route.abort()])
        shopper.expected.append("photo-worker.js")
        done = shopper.upload(phone_jpeg("no worker", 400, 200), client={"maxSide": 100})

        assert (done["results"][0]["width"], done["results"][0]["height"]) == (50, 100)

    @pytest.mark.parametrize(
        ("data", "name", "given", "told"),
        [
            pytest.param(heic("heic"), "IMG_0001.HEIC", "", "image/heic", id="HEIC without a type"),
            pytest.param(heic("octets"), "IMG_0001", "application/octet-stream", "image/heic", id="HEIC as octets"),
            pytest.param(jpeg("bare"), "20261130_1", "", "image/jpeg", id="JPEG without type and extension"),
            pytest.param(jpeg("jfif"), "photo.jfif", "", "image/jpeg", id="JFIF"),
            pytest.param(jpeg("pjpeg"), "photo.jpg", "image/pjpeg", "image/jpeg", id="JPEG by an old name"),
            pytest.param(encoded("png"), "a", "", "image/png", id="PNG"),
            pytest.param(encoded("webp"), "a", "", "image/webp", id="WebP"),
            pytest.param(encoded("avif"), "a", "image/avif-sequence", "image/avif", id="AVIF"),
            pytest.param(encoded("tiff"), "a.tif", "image/tif", "image/tiff", id="TIFF"),
            pytest.param(encoded("bmp"), "a.dib", "image/x-ms-bmp", "image/bmp", id="BMP"),
            pytest.param(encoded("gif"), "a", "", "image/gif", id="GIF"),
        ],
    )
    def test_a_photo_that_the_device_calls_something_else_goes_up_as_what_it_is(
        self, shopper: Shopper, data: bytes, name: str, given: str, told: str
    ) -> None:
        done = shopper.upload(data, name=name, kind=given)

        assert shopper.asked[0]["content_type"] == told
        assert shopper.put_hash() == hashlib.sha256(data).hexdigest()
        assert (done["results"][0]["width"], done["results"][0]["height"]) == (128, 96)

    def test_an_empty_file_is_told_as_such_and_asks_for_nothing(self, shopper: Shopper) -> None:
        shopper.visit("/healthz")
        told = shopper.page.evaluate(
            """async ([api, key]) => {
              const { connect } = await import('/storefront/cutout.js');
              const file = new File([], 'photo.jpg', { type: 'image/jpeg' });
              return connect({ api, key }).uploadPhoto(file).catch(({ code, message }) => ({ code, message }));
            }""",
            [shopper.stack.api_url, shopper.stack.api_key],
        )
        assert told == {"code": "unreadable_file", "message": "The file is empty"}
        assert shopper.asked == []


class TestLostConnections:
    def test_a_connection_lost_in_mid_upload_starts_again(self, shopper: Shopper, large_photo: bytes) -> None:
        shopper.expected.append("ERR_CONNECTION_RESET")
        with DyingLine(after=100_000) as line:
            shopper.route("/uploads/", "PUT", [line.take])
            done = shopper.upload(large_photo)

        assert 100_000 <= line.heard < len(large_photo)
        assert (done["state"], len(shopper.puts), len(shopper.asked)) == ("done", 2, 1)
        assert shopper.put_hash() == hashlib.sha256(large_photo).hexdigest()

    def test_a_photo_chosen_offline_goes_up_once_the_device_is_online(self, shopper: Shopper, photo: bytes) -> None:
        shopper.visit("/healthz")
        shopper.page.evaluate("async () => { await import('/storefront/cutout.js'); }")
        shopper.expected.append("ERR_INTERNET_DISCONNECTED")
        shopper.context.set_offline(True)
        shopper.start("uploadPhoto", data=photo, client={"attempts": 2})
        shopper.until(shopper.stages, lambda stages: "offline" in stages)
        shopper.context.set_offline(False)

        assert shopper.end()["state"] == "done"

    def test_an_error_of_the_page_ends_no_wait_for_the_network(self, shopper: Shopper, photo: bytes) -> None:
        shopper.visit("/healthz")
        shopper.page.evaluate("async () => { await import('/storefront/cutout.js'); }")
        shopper.expected += ["ERR_INTERNET_DISCONNECTED", "the shop"]
        shopper.context.set_offline(True)
        shopper.start("uploadPhoto", data=photo, client={"attempts": 2})
        shopper.until(shopper.stages, lambda stages: "offline" in stages)
        shopper.page.evaluate("() => new Promise((then) => setTimeout(() => { then(); throw Error('the shop'); }))")
        shopper.context.set_offline(False)

        assert shopper.end()["state"] == "done"

    def test_an_upload_that_had_arrived_though_its_answer_was_lost_is_not_sent_twice(
        self, shopper: Shopper, photo: bytes
    ) -> None:
        def arrive_and_lose(route: Route) -> None:
            route.fetch()
            route.abort("connectionreset")

        shopper.route("/uploads/", "PUT", [arrive_and_lose, shopper.answer(412, "<Code>PreconditionFailed</Code>")])
        shopper.expected += ["ERR_CONNECTION_RESET", "412"]
        done = shopper.upload(photo)

        assert done["state"] == "done"
        assert len(shopper.puts) == 2

    def test_an_upload_that_stands_still_is_given_up_and_starts_again(
        self, shopper: Shopper, large_photo: bytes
    ) -> None:
        with DyingLine(after=100_000, closes=False) as line:
            shopper.route("/uploads/", "PUT", [line.take])
            done = shopper.upload(large_photo, client={"stall": 4})

        assert 100_000 <= line.heard < len(large_photo)
        assert (done["state"], len(shopper.puts)) == ("done", 2)

    def test_lost_and_failed_requests_of_the_api_are_repeated(self, shopper: Shopper, photo: bytes) -> None:
        shopper.route(f"{shopper.stack.api_url}/uploads", "POST", [lose, shopper.answer(503, "not JSON")])
        shopper.route("/jobs/", "GET", [lose])
        shopper.expected += ["ERR_CONNECTION_RESET", "503"]
        done = shopper.upload(photo)

        assert done["state"] == "done"
        assert [one["error"]["code"] for one in shopper.progress() if one["stage"] == "retrying"] == [
            "network",
            "unexpected",
            "network",
        ]

    def test_what_never_works_ends_as_a_network_error(self, shopper: Shopper, photo: bytes) -> None:
        shopper.route(f"{shopper.stack.api_url}/uploads", "POST", [lose] * 3)
        shopper.expected.append("ERR_CONNECTION_RESET")
        told = problem(shopper.upload(photo, client={"attempts": 3}))

        assert (told["name"], told["code"], told["retryable"]) == ("CutoutError", "network", True)


class TestDownloads:
    def test_a_slow_download_takes_as_long_as_it_takes_and_tells_how_far_it_is(
        self, shopper: Shopper, photo: bytes
    ) -> None:
        done = shopper.upload(photo)
        pieces = [bytes(4000)] * 6
        with SlowLine(pieces, pause=0.5) as line:
            shopper.route("/results/", "GET", [line.take])
            fetched = shopper.call("download", done, 0, client={"stall": 4})

        told = [one for one in shopper.progress() if one["stage"] == "downloading"]
        assert fetched == {"size": 24_000, "type": "image/png"}
        assert len(shopper.sent("GET", "/results/")) == 1
        assert [one["loaded"] for one in told][-1] == 24_000
        assert len(told) >= 3
        assert {one["total"] for one in told} == {done["results"][0]["bytes"]}

    def test_a_download_that_stands_still_is_given_up_and_starts_again(self, shopper: Shopper, photo: bytes) -> None:
        done = shopper.upload(photo)
        with SlowLine([bytes(4000)] * 3, pause=0, ends=False) as line:
            shopper.route("/results/", "GET", [line.take])
            fetched = shopper.call("download", done, 0, client={"stall": 4})

        assert fetched["size"] == done["results"][0]["bytes"]
        assert shopper.stages() == ["downloading", "retrying"]


class TestWaiting:
    PENDING = '{"state":"queued","stage":"rendering"}'

    def test_answers_that_come_at_once_are_asked_for_once_a_second(self, shopper: Shopper, photo: bytes) -> None:
        shopper.route("/jobs/", "GET", [shopper.answer(200, self.PENDING)] * 3)
        started = time.monotonic()
        done = shopper.upload(photo)

        assert done["state"] == "done"
        assert len(shopper.sent("GET", "/jobs/")) >= 4
        assert time.monotonic() - started >= 3

    def test_a_job_without_an_end_is_told_with_its_handle_and_can_be_followed_again(
        self, shopper: Shopper, photo: bytes
    ) -> None:
        shopper.route("/jobs/", "GET", [shopper.answer(200, self.PENDING)] * 3)
        told = problem(shopper.upload(photo, client={"timeout": 1.5}))

        assert (told["code"], told["retryable"]) == ("timeout", True)
        assert shopper.call("follow", told["job"])["state"] == "done"
        assert len(shopper.puts) == 1

    def test_a_connection_lost_while_waiting_keeps_the_handle_too(self, shopper: Shopper, photo: bytes) -> None:
        shopper.route("/jobs/", "GET", [lose])
        shopper.expected.append("ERR_CONNECTION_RESET")
        told = problem(shopper.upload(photo, client={"attempts": 1}))

        assert told["code"] == "network"
        assert shopper.call("follow", told["job"])["state"] == "done"


class TestExpiredUrls:
    """The bucket of this machine honours expired URLs, so what the real one answers is put in its place."""

    EXPIRED = "<Error><Code>ExpiredToken</Code></Error>"

    def test_an_upload_url_that_has_expired_is_asked_for_anew(self, shopper: Shopper, photo: bytes) -> None:
        shopper.route("/uploads/", "PUT", [shopper.answer(400, self.EXPIRED)])
        shopper.expected.append(REFUSED)
        done = shopper.upload(photo)

        assert done["state"] == "done"
        assert (len(shopper.asked), len(shopper.puts)) == (2, 2)

    def test_a_bucket_that_refuses_every_url_is_reported(self, shopper: Shopper, photo: bytes) -> None:
        shopper.route("/uploads/", "PUT", [shopper.answer(403, "<Code>SignatureDoesNotMatch</Code>")] * 3)
        shopper.expected.append(REFUSED)
        told = problem(shopper.upload(photo))

        assert (told["code"], told["status"], told["retryable"]) == ("upload_refused", 403, False)

    def test_a_result_url_that_has_expired_is_asked_for_anew(self, shopper: Shopper, photo: bytes) -> None:
        done = shopper.upload(photo)
        shopper.route("/results/", "GET", [shopper.answer(400, self.EXPIRED)])
        shopper.expected.append(REFUSED)
        fetched = shopper.call("download", done, 0)

        assert fetched == {"size": done["results"][0]["bytes"], "type": "image/png"}

    def test_a_result_url_that_says_that_it_has_expired_is_not_tried(self, shopper: Shopper, photo: bytes) -> None:
        """Where a CDN gives results out, a page can't read its refusal."""
        done = shopper.upload(photo)
        [result] = done["results"]
        past = result | {"expires_at": "2026-01-01T00:00:00Z", "url": "http://127.0.0.1:9/expired"}
        fetched = shopper.call("download", done | {"results": [past]}, 0)

        assert fetched == {"size": result["bytes"], "type": "image/png"}


class TestCancelling:
    def test_an_upload_cancelled_on_its_way_ends_at_once_and_asks_for_nothing_more(
        self, shopper: Shopper, large_photo: bytes
    ) -> None:
        with DyingLine(after=100_000, closes=False) as line:
            shopper.route("/uploads/", "PUT", [line.take])
            shopper.start("uploadPhoto", data=large_photo)
            shopper.until(lambda: line.heard, lambda heard: heard >= 100_000)
            assert problem(abort(shopper))["name"] == "AbortError"

        assert (len(shopper.puts), shopper.sent("GET", "/jobs/")) == (1, [])

    def test_a_pause_between_attempts_is_cut_short(self, shopper: Shopper, photo: bytes) -> None:
        shopper.route("/uploads/", "PUT", [lose])
        shopper.expected.append("ERR_CONNECTION_RESET")
        shopper.start("uploadPhoto", data=photo, client={"pause": 8})
        shopper.until(shopper.stages, lambda stages: "retrying" in stages)

        assert problem(abort(shopper))["name"] == "AbortError"
        assert len(shopper.puts) == 1

    def test_a_call_that_was_cancelled_before_asks_for_nothing(self, shopper: Shopper) -> None:
        shopper.visit("/healthz")
        told = shopper.page.evaluate(
            """async (api) => {
              const { connect } = await import('/storefront/cutout.js');
              const given = { signal: AbortSignal.abort() };
              return connect({ api, key: 'k' }).uploadPhoto(new Blob(['photo']), given).catch(({ name }) => name);
            }""",
            shopper.stack.api_url,
        )
        assert told == "AbortError"
        assert shopper.asked == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "name", "kind", "code"),
        [
            pytest.param(b"plain text", "notes.txt", "text/plain", "unsupported_format", id="not called an image"),
            pytest.param(b"<html></html>" * 30, "a.jpg", "image/jpeg", "unsupported_format", id="not an image"),
            pytest.param(b"\xff\xd8\xff\xe0" + bytes(300), "b.jpg", "image/jpeg", "corrupt_image", id="broken"),
        ],
    )
    def test_what_is_no_photo_is_refused_with_its_code(
        self, shopper: Shopper, data: bytes, name: str, kind: str, code: str
    ) -> None:
        shopper.expected.append("415")
        told = problem(shopper.upload(data, name=name, kind=kind))
        assert (told["code"], told["retryable"]) == (code, False)

    def test_what_is_too_large_and_can_not_be_made_smaller_is_not_uploaded(self, shopper: Shopper) -> None:
        shopper.expected.append("413")
        shopper.visit("/healthz")
        told = shopper.page.evaluate(
            """async ([api, key]) => {
              const { connect } = await import('/storefront/cutout.js');
              const file = new File([new Uint8Array(31 * 1024 * 1024)], 'film.tiff', { type: 'image/tiff' });
              return connect({ api, key }).uploadPhoto(file).catch(({ code, status }) => ({ code, status }));
            }""",
            [shopper.stack.api_url, shopper.stack.api_key],
        )
        assert told == {"code": "too_large", "status": 413}
        assert shopper.puts == []

    def test_an_unknown_key_and_a_bad_recipe_are_told_apart(self, shopper: Shopper, photo: bytes) -> None:
        shopper.expected += ["401", "400"]
        assert problem(shopper.upload(photo, client={"key": "nobody's"}))["code"] == "unauthorized"
        told = problem(shopper.upload(photo, options={"recipes": [{"max_side": 1}]}))
        assert (told["code"], list(told["fields"])) == ("invalid_message", ["$.recipes[0].max_side"])

    def test_too_many_requests_are_repeated_after_the_pause_that_the_service_asks_for(
        self, shopper: Shopper, photo: bytes
    ) -> None:
        body = '{"error":{"code":"rate_limited","message":"slow down","retryable":true}}'
        shopper.route(f"{shopper.stack.api_url}/uploads", "POST", [shopper.answer(429, body, Retry_After="1")])
        shopper.expected.append("429")
        started = time.monotonic()
        done = shopper.upload(photo)

        assert done["state"] == "done"
        assert time.monotonic() - started >= 1
        assert [one["seconds"] for one in shopper.progress() if one["stage"] == "retrying"] == [1]

    def test_a_pause_that_nobody_waits_for_is_told_at_once(self, shopper: Shopper, photo: bytes) -> None:
        body = '{"error":{"code":"daily_cap_reached","message":"enough for today","retryable":false}}'
        shopper.route(f"{shopper.stack.api_url}/uploads", "POST", [shopper.answer(429, body, Retry_After="7200")])
        shopper.expected.append("429")
        told = problem(shopper.upload(photo))

        assert (told["code"], told["retryAfter"]) == ("daily_cap_reached", 7200)


def test_every_method_works_on_a_phone(open_shopper: Callable[..., Shopper], photo: bytes) -> None:
    phone = open_shopper({"width": 360, "height": 740}, is_mobile=True, has_touch=True, device_scale_factor=3)
    done = phone.upload(photo)
    assert phone.call("restyle", done, [{"format": "mask"}])["results"][0]["cache"] == "matte"
