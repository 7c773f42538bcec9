"""What every public function does alike: CORS, methods, errors."""

from __future__ import annotations

import pytest

from events.errors import TransientError
from tests.unit.functions.api import KEY, ORIGIN, OTHER_KEY, OTHER_ORIGIN, Api

WANTED = {"content_type": "image/png", "size": 1}


@pytest.mark.parametrize("origin", [ORIGIN, OTHER_ORIGIN])
def test_a_preflight_from_a_storefronts_page_is_allowed(api: Api, origin: str) -> None:
    """It carries no key, so any storefront's origin must do; the request itself is then held to its own."""
    reply = api.request_upload(None, method="OPTIONS", key=None, origin=origin)
    assert reply.status == 204
    assert reply.headers["Access-Control-Allow-Origin"] == origin
    assert {"GET", "POST", "DELETE"} <= set(reply.headers["Access-Control-Allow-Methods"].split(", "))
    allowed = {name.lower() for name in reply.headers["Access-Control-Allow-Headers"].split(", ")}
    assert {"authorization", "content-type", "x-api-key", "traceparent"} <= allowed
    assert reply.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://evil.test", f"{ORIGIN}.evil.test", "null", "http://shop.test"])
def test_a_preflight_from_any_other_page_is_not(api: Api, origin: str) -> None:
    reply = api.request_upload(None, method="OPTIONS", key=None, origin=origin)
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert reply.headers["Vary"] == "Origin"


def test_a_storefronts_page_may_read_the_answer_and_its_headers(api: Api) -> None:
    reply = api.request_upload(WANTED, origin=ORIGIN)
    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    exposed = set(reply.headers["Access-Control-Expose-Headers"].split(", "))
    assert exposed == {"X-Cache-Status", "Retry-After", "RateLimit", "RateLimit-Policy", "Location"}


@pytest.mark.parametrize(("key", "json", "status"), [(None, WANTED, 401), (OTHER_KEY, WANTED, 403), (KEY, {}, 400)])
def test_a_storefronts_page_may_read_a_refusal_too(api: Api, key: str | None, json: object, status: int) -> None:
    reply = api.request_upload(json, key=key, origin=ORIGIN)
    assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (status, ORIGIN)


def test_an_answer_to_a_server_names_no_origin_but_says_that_it_may_differ(api: Api) -> None:
    reply = api.request_upload(WANTED)
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert reply.headers["Vary"] == "Origin"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "PATCH"])
def test_another_method_is_told_which_one_to_use(api: Api, method: str) -> None:
    reply = api.request_upload(None, method=method)
    assert reply.status == 405
    assert reply.headers["Allow"] == "POST"


def test_a_storage_that_does_not_answer_is_a_503_with_a_time_to_come_back(api: Api) -> None:
    api.scene.faults.arm(1, TransientError("storage: no answer"))
    reply = api.request_upload(WANTED)
    assert (reply.status, reply.code) == (503, "temporarily_unavailable")
    assert reply.headers["Retry-After"] == "5"


def test_a_bug_is_not_dressed_up_as_an_answer(api: Api) -> None:
    """functions-framework turns it into a 500 and logs it with its traceback."""
    api.scene.faults.arm(1, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        api.request_upload(WANTED)
