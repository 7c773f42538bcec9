from __future__ import annotations

from typing import Any

import msgspec
import pytest

from events.errors import InvalidMessageError
from events.messages import JobRequested, PubsubPush, Recipes, StorageObject
from events.recipe import Recipe
from events.validation import convert, decode_json
from tests.unit.examples import EXAMPLES


def problems(data: bytes | str, kind: Any) -> dict[str, str]:
    with pytest.raises(InvalidMessageError) as refusal:
        decode_json(data, kind)
    return refusal.value.fields


def job(**changes: object) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(EXAMPLES[0]) | changes)


def test_every_bad_field_is_reported_at_once_at_any_depth() -> None:
    bad = job(
        job_id="7",
        tenant="../acme",
        upload={"bucket": "ab", "generation": 0, "path": "x"},
        recipes=[{}, {"effect": "vaporwave", "crop": {"margin": 101}, "max_side": "big"}],
        lane="tpu",
        run=-1,
        timings={"check": -1, "event": 0, "queue": None},
        extra=1,
    )
    assert sorted(problems(bad, JobRequested)) == [
        "$.extra",
        "$.job_id",
        "$.lane",
        "$.recipes[1].crop.margin",
        "$.recipes[1].effect",
        "$.recipes[1].max_side",
        "$.run",
        "$.tenant",
        "$.timings.check",
        "$.timings.queue",
        "$.upload.bucket",
        "$.upload.generation",
        "$.upload.name",
        "$.upload.path",
    ]


def test_a_problem_says_what_was_expected() -> None:
    found = problems(job(run=-1, lane="tpu", upload=7), JobRequested)
    assert found == {
        "$.run": "Expected `int` >= 0",
        "$.lane": "Invalid enum value 'tpu'",
        "$.upload": "Expected `object`, got `int`",
    }


def test_a_missing_field_is_told_from_an_unknown_one() -> None:
    given = msgspec.to_builtins(EXAMPLES[0])
    del given["sha256"]
    assert problems(msgspec.json.encode(given | {"sha265": "x"}), JobRequested) == {
        "$.sha256": "required, but missing",
        "$.sha265": "not a known field",
    }


def test_a_list_that_is_too_long_is_reported_beside_its_bad_items() -> None:
    assert problems(b'[{},{},{},{},{},{},{},{},{"max_side":1}]', Recipes) == {
        "$[8].max_side": "Expected `int` >= 16",
        "$": "Expected `array` of length <= 8",
    }


@pytest.mark.parametrize(("count", "bound"), [(0, ">= 1"), (9, "<= 8")])
def test_a_list_of_a_wrong_length_is_reported(count: int, bound: str) -> None:
    assert problems(msgspec.json.encode([{}] * count), Recipes) == {"$": f"Expected `array` of length {bound}"}


def test_a_wrong_tag_is_reported_with_those_expected() -> None:
    bad = b'{"background":{"kind":"video","color":"#ffffff"},"format":"gif"}'
    assert problems(bad, Recipe) == {
        "$.background.kind": "Expected 'color' or 'gradient' or 'blur' or 'image', got 'video'",
        "$.format": "Invalid enum value 'gif'",
    }


def test_a_union_is_checked_against_the_member_that_its_tag_names() -> None:
    class Circle(msgspec.Struct, tag_field="shape", tag="circle", forbid_unknown_fields=True):
        radius: int

    class Square(msgspec.Struct, tag_field="shape", tag="square", forbid_unknown_fields=True):
        side: int

    shapes = list[Circle | Square]
    assert problems(b'[{"shape":"square","side":"a","radius":1},{"shape":"circle"},{"shape":"line"}]', shapes) == {
        "$[0].side": "Expected `int`, got `str`",
        "$[0].radius": "not a known field",
        "$[1].radius": "required, but missing",
        "$[2].shape": "Expected 'circle' or 'square', got 'line'",
    }


def test_parts_that_do_not_go_together_are_reported_for_the_recipe_that_has_them() -> None:
    found = problems(job(recipes=[{}, {"format": "jpg"}]), JobRequested)
    assert found == {
        "$.recipes[1].background": "jpg has no transparency: give a background, or ask for png, webp or avif"
    }


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"unknown":1,', b"\xff", b'"\xff"', "\ud800", b'{"job_id": nope}', b'{"job_id":"x"} tail'],
)
def test_what_is_not_json_is_refused_as_such(data: bytes | str) -> None:
    found = problems(data, JobRequested)
    assert list(found) == ["$"]
    assert found["$"].startswith("not JSON")


def test_json_that_is_nested_too_deeply_is_refused() -> None:
    assert problems(b"[" * 100_000, JobRequested) == {"$": "nested too deeply"}


@pytest.mark.parametrize("value", [b"not a mapping", None, 7, "text", []])
def test_what_is_not_an_object_is_refused(value: object) -> None:
    """functions-framework hands a function bytes where the body is not JSON."""
    with pytest.raises(InvalidMessageError) as refusal:
        convert(value, StorageObject)
    assert list(refusal.value.fields) == ["$"]


@pytest.mark.parametrize("value", ["acme\n", "acme ", "Acme", "", "-acme", "a" * 64, "a/b", "äcme"])
def test_a_tenant_is_a_name_and_nothing_else(value: str) -> None:
    assert list(problems(job(tenant=value), JobRequested)) == ["$.tenant"]


@pytest.mark.parametrize("value", ["#ffffff\n", "#FFFFFF", "#fff", "ffffff", "red"])
def test_a_colour_has_one_spelling(value: str) -> None:
    """Two spellings would be two digests, and so two results, of one recipe."""
    data = msgspec.json.encode({"background": {"kind": "color", "color": value}})
    assert list(problems(data, Recipe)) == ["$.background.color"]


def test_a_push_in_wrapped_form_is_read_as_the_service_sends_it() -> None:
    push = decode_json(
        b'{"message":{"data":"e30=","attributes":{"ce-id":"1"},"messageId":"7","message_id":"7",'
        b'"publishTime":"2026-11-23T12:00:00Z"},"subscription":"projects/p/subscriptions/s","deliveryAttempt":5}',
        PubsubPush,
    )
    assert (push.message.data, push.message.attributes, push.delivery_attempt) == (b"{}", {"ce-id": "1"}, 5)


def test_a_push_that_is_not_base64_is_refused() -> None:
    assert list(problems(b'{"message":{"data":"%%%","messageId":"7"}}', PubsubPush)) == ["$.message.data"]
