from __future__ import annotations

import hashlib
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from events.names import parse_upload_name, spend_name
from events.trace import trace_id
from functions.on_upload import recipes_of
from functions.request_upload import CONTENT_TYPES, MAX_UPLOAD_BYTES
from jobs.tokens import tenant_of, token_digest
from tests.unit.examples import JOB_ID, RECIPE, TENANT, TRACEPARENT
from tests.unit.functions.api import KEY, OLD_KEY, ORIGIN, OTHER_KEY, OTHER_ORIGIN, PUBLIC_URL, Api
from tests.unit.scene import BUCKETS, RECIPES, photo

WANTED: dict[str, Any] = {"content_type": "image/jpeg", "size": 1_000_000, "recipes": [{}]}


def wanted(**changes: object) -> dict[str, object]:
    return WANTED | changes


def cached(*, recipes: object = RECIPES) -> dict[str, object]:
    """A request for the default photo that names its hash."""
    return wanted(sha256=hashlib.sha256(photo()).hexdigest(), recipes=msgspec.to_builtins(recipes))


def test_an_upload_is_answered_with_everything_that_the_put_needs(api: Api) -> None:
    reply = api.request_upload(wanted(), headers={"traceparent": TRACEPARENT})
    assert reply.status == 201
    job_id, token = reply.json["job_id"], reply.json["token"]
    assert reply.json["state"] == "awaiting_upload"
    assert reply.json["status_url"] == reply.headers["Location"] == f"{PUBLIC_URL}/jobs/{job_id}"
    assert reply.json["upload"]["method"] == "PUT"
    assert reply.json["upload"]["expires_at"] == "2026-11-23T12:10:00Z"
    assert tenant_of(token) == TENANT
    assert reply.headers["Cache-Control"] == "no-store"


def test_the_signature_binds_type_size_recipes_trace_and_that_nothing_is_there_yet(api: Api) -> None:
    reply = api.request_upload(wanted(recipes=msgspec.to_builtins([RECIPE, {}])), headers={"traceparent": TRACEPARENT})
    [signed] = api.scene.signer.signed
    assert (signed.method, signed.bucket, signed.expires_in) == ("PUT", BUCKETS.uploads, timedelta(minutes=10))
    assert parse_upload_name(signed.name) == (TENANT, reply.json["job_id"])
    assert signed.headers == reply.json["upload"]["headers"]
    traceparent = signed.headers["x-goog-meta-traceparent"]
    assert signed.headers == {
        "Content-Type": "image/jpeg",
        "x-goog-content-length-range": "1,31457280",
        "x-goog-if-generation-match": "0",
        "x-goog-meta-recipes": f"[{RECIPE.canonical().decode()},{{}}]",
        "x-goog-meta-traceparent": traceparent,
    }
    assert trace_id(traceparent) == trace_id(TRACEPARENT)


def test_on_upload_reads_back_the_recipes_that_were_bound(api: Api) -> None:
    api.request_upload(wanted(recipes=msgspec.to_builtins(RECIPES)))
    [signed] = api.scene.signer.signed
    assert recipes_of({"recipes": signed.headers["x-goog-meta-recipes"]}) == RECIPES


def test_of_the_token_only_a_digest_is_kept(api: Api) -> None:
    reply = api.request_upload(wanted())
    stored = api.scene.store.peek(BUCKETS.jobs, f"{TENANT}/{reply.json['job_id']}/awaiting_upload.json")
    assert stored is not None
    assert token_digest(reply.json["token"]).encode() in stored.data
    assert reply.json["token"].encode() not in stored.data


def test_without_recipes_the_plain_cutout_is_made(api: Api) -> None:
    api.request_upload({"content_type": "image/png", "size": 1})
    assert api.scene.signer.signed[0].headers["x-goog-meta-recipes"] == "[{}]"


@pytest.mark.parametrize("key", [KEY, OLD_KEY])
def test_every_key_of_a_tenant_is_valid_while_keys_rotate(api: Api, key: str) -> None:
    assert api.request_upload(wanted(), key=key).status == 201


@pytest.mark.parametrize("key", [None, "", "unknown", KEY + " ", KEY.upper()])
def test_without_a_known_key_nothing_is_done(api: Api, key: str | None) -> None:
    reply = api.request_upload(wanted(), key=key)
    assert (reply.status, reply.code) == (401, "unauthorized")
    assert "WWW-Authenticate" in reply.headers
    assert api.scene.store.names(BUCKETS.jobs) == ()


@pytest.mark.parametrize(("key", "origin"), [(KEY, OTHER_ORIGIN), (KEY, "null"), (OTHER_KEY, ORIGIN)])
def test_a_key_works_on_the_pages_of_its_own_storefront_only(api: Api, key: str, origin: str) -> None:
    reply = api.request_upload(wanted(), key=key, origin=origin)
    assert (reply.status, reply.code) == (403, "forbidden")


def test_a_server_that_names_no_origin_is_let_in(api: Api) -> None:
    assert api.request_upload(wanted(), origin=None).status == 201


def test_every_bad_field_is_named(api: Api) -> None:
    bad = {"content_type": 7, "size": 0, "recipes": [{"effect": "x", "max_side": 1}], "sha256": "abc", "url": "x"}
    reply = api.request_upload(bad)
    assert (reply.status, reply.code) == (400, "invalid_message")
    assert sorted(reply.json["error"]["fields"]) == [
        "$.content_type",
        "$.recipes[0].effect",
        "$.recipes[0].max_side",
        "$.sha256",
        "$.size",
        "$.url",
    ]
    assert reply.json["error"]["retryable"] is False


@pytest.mark.parametrize("count", [0, 9])
def test_one_to_eight_recipes_are_taken(api: Api, count: int) -> None:
    reply = api.request_upload(wanted(recipes=[{}] * count))
    assert list(reply.json["error"]["fields"]) == ["$.recipes"]
    assert api.request_upload(wanted(recipes=[{"max_side": 16 + side} for side in range(8)])).status == 201


def test_a_recipe_whose_parts_do_not_go_together_is_named(api: Api) -> None:
    reply = api.request_upload(wanted(recipes=[{}, {"format": "jpg"}]))
    assert reply.status == 400
    assert list(reply.json["error"]["fields"]) == ["$.recipes[1].background"]


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 60_000, b"\xff\xfe", b'{"size":1,"x":1,', b"{}" * 40_000])
def test_a_body_that_is_no_request_is_refused(api: Api, data: bytes) -> None:
    reply = api.request_upload(None, data=data)
    assert (reply.status, reply.code) == (400, "invalid_message")
    assert list(reply.json["error"]["fields"]) == ["$"]


@pytest.mark.parametrize("content_type", ["image/svg+xml", "text/html", "IMAGE/JPEG", "image/jpeg; charset=x", ""])
def test_only_the_image_types_that_are_read_are_taken(api: Api, content_type: str) -> None:
    reply = api.request_upload(wanted(content_type=content_type))
    assert (reply.status, reply.code) == (415, "unsupported_format")
    assert all(known in reply.json["error"]["message"] for known in CONTENT_TYPES)


def test_every_image_type_that_is_read_is_taken(api: Api) -> None:
    assert [api.request_upload(wanted(content_type=kind)).status for kind in sorted(CONTENT_TYPES)] == [201] * 9


def test_a_photo_over_30_mb_is_refused_before_it_is_sent(api: Api) -> None:
    assert MAX_UPLOAD_BYTES == 30 * 2**20
    assert api.request_upload(wanted(size=MAX_UPLOAD_BYTES)).status == 201
    reply = api.request_upload(wanted(size=MAX_UPLOAD_BYTES + 1))
    assert (reply.status, reply.code) == (413, "too_large")


def spend_usd(api: Api, usd: Decimal, *, tenant: str = TENANT) -> None:
    name = spend_name(tenant, api.scene.clock().date(), JOB_ID, 0, int(usd.scaleb(9)))
    api.scene.store.put(BUCKETS.jobs, name, b"")


def test_a_tenant_past_its_daily_cap_is_refused_until_midnight(api: Api) -> None:
    spend_usd(api, Decimal("1.000000000"))
    reply = api.request_upload(wanted())
    assert (reply.status, reply.code) == (429, "daily_cap_reached")
    assert "1 USD" in reply.json["error"]["message"]
    until = int(reply.headers["Retry-After"])
    assert timedelta(hours=12) <= timedelta(seconds=until) <= timedelta(hours=12, seconds=2)
    api.scene.clock.advance(until)
    assert api.request_upload(wanted()).status == 201


def test_a_tenant_below_its_cap_is_let_in(api: Api) -> None:
    spend_usd(api, Decimal("0.999999999"))
    assert api.request_upload(wanted()).status == 201


def test_the_cap_of_one_tenant_is_not_anothers(api: Api) -> None:
    spend_usd(api, Decimal(5), tenant="globex")
    assert api.request_upload(wanted()).status == 201
    assert api.request_upload(wanted(), key=OTHER_KEY).status == 429


def test_a_known_photo_is_answered_at_once_without_an_upload(api: Api) -> None:
    first = api.scene.run()
    reply = api.request_upload(cached())
    assert (reply.status, reply.headers["X-Cache-Status"], reply.json["state"]) == (200, "hit", "done")
    assert "upload" not in reply.json
    assert [result["cache"] for result in reply.json["results"]] == ["hit", "hit"]
    assert [(result["width"], result["height"]) for result in reply.json["results"]] == [(32, 24), (16, 12)]
    signed = api.scene.signer.signed
    assert {(url.method, url.bucket) for url in signed} == {("GET", BUCKETS.results)}
    assert [url.filename for url in signed] == ["cutout-1.png", "cutout-2.jpg"]
    told = api.scene.completed(first).results
    assert [url.name for url in signed] == [result.object.name for result in told]


def test_the_job_of_a_known_photo_is_a_job_like_any_other(api: Api) -> None:
    api.scene.run()
    reply = api.request_upload(cached())
    job_id, token = reply.json["job_id"], reply.json["token"]
    assert api.job_status(job_id, token=token).json["state"] == "done"
    assert '"cutout.result.completed.v1"' in msgspec.json.encode(api.scene.publisher.on("results")[-1]).decode()
    assert api.delete_job(job_id, token=token).status == 204


def test_a_photo_of_which_only_some_results_exist_is_uploaded(api: Api) -> None:
    api.scene.run(recipes=RECIPES[:1])
    reply = api.request_upload(cached())
    assert (reply.status, reply.json["state"]) == (201, "awaiting_upload")
    assert "X-Cache-Status" not in reply.headers


def test_a_hash_that_nobody_uploaded_leaves_no_trace_in_the_cache(api: Api) -> None:
    reply = api.request_upload(wanted(sha256="0" * 64))
    assert reply.status == 201
    assert api.scene.store.names(BUCKETS.jobs) == (f"{TENANT}/{reply.json['job_id']}/awaiting_upload.json",)


def test_another_tenants_photo_is_not_known(api: Api) -> None:
    """A hash must not tell one storefront what another one's shoppers have uploaded."""
    api.scene.run()
    assert api.request_upload(cached(), key=OTHER_KEY).status == 201


def test_results_that_vanish_during_the_answer_are_not_promised(api: Api) -> None:
    job = api.scene.run()
    api.scene.faults.arm(3, lambda: api.scene.desk.removal.remove(job.tenant, job.job_id))
    reply = api.request_upload(cached())
    assert (reply.status, reply.json["state"]) == (201, "awaiting_upload")
    assert api.scene.references(job) == []


def test_while_the_photo_is_being_deleted_the_storefront_is_asked_to_come_back(api: Api) -> None:
    job = api.scene.run()
    prefix = f"~references/{TENANT}/{api.scene.content(job)}/"
    api.scene.store.put(BUCKETS.jobs, f"{prefix}~removal/1", b"", metadata={"at": api.scene.clock().isoformat()})
    reply = api.request_upload(cached())
    assert (reply.status, reply.code) == (503, "temporarily_unavailable")
    assert reply.headers["Retry-After"] == "5"
    assert reply.json["error"]["retryable"] is True
