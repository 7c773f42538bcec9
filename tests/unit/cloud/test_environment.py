from __future__ import annotations

import base64
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.environment import MIN_SECRET_BYTES, Environment, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable


class Tenant(msgspec.Struct):
    name: str
    cap: Decimal


def read(value: str, how: Callable[[Environment], Any]) -> Any:
    """What `how` makes of a variable X with that value."""
    env = Environment({"X": value})
    got = how(env)
    env.check()
    return got


def problem(value: str | None, how: Callable[[Environment], Any]) -> str:
    """What is said to be wrong with a variable X."""
    env = Environment({} if value is None else {"X": value})
    how(env)
    with pytest.raises(SettingsError) as raised:
        env.check()
    assert list(raised.value.variables) == ["X"]
    return raised.value.variables["X"]


READERS: dict[str, Callable[[Environment], Any]] = {
    "text": lambda env: env.text("X"),
    "integer": lambda env: env.integer("X"),
    "number": lambda env: env.number("X"),
    "decimal": lambda env: env.decimal("X"),
    "seconds": lambda env: env.seconds("X"),
    "boolean": lambda env: env.boolean("X"),
    "choice": lambda env: env.choice("X", ("a", "b")),
    "csv": lambda env: env.csv("X"),
    "json": lambda env: env.json("X", list[int]),
    "secret_bytes": lambda env: env.secret_bytes("X"),
}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("text", " a b ", "a b"),
        ("integer", "-12", -12),
        ("number", "1.5e3", 1500.0),
        ("number", ".5", 0.5),
        ("decimal", "0.0001867", Decimal("0.0001867")),
        ("seconds", "0.25", timedelta(milliseconds=250)),
        ("boolean", "true", True),
        ("boolean", "1", True),
        ("boolean", "false", False),
        ("boolean", "0", False),
        ("choice", "b", "b"),
        ("csv", "a, b,c", ("a", "b", "c")),
        ("json", "[1, 2]", [1, 2]),
        ("secret_bytes", base64.b64encode(bytes(MIN_SECRET_BYTES)).decode(), bytes(MIN_SECRET_BYTES)),
    ],
)
def test_a_good_value_is_read_as_its_kind(kind: str, value: str, expected: object) -> None:
    assert read(value, READERS[kind]) == expected


@pytest.mark.parametrize(
    ("kind", "value", "allowed"),
    [
        ("integer", "1.0", "a whole number"),
        ("integer", "1_000", "a whole number"),
        ("integer", "\u0663", "a whole number"),
        ("number", "nan", "a finite number"),
        ("number", "inf", "a finite number"),
        ("number", "1e999", "a finite number"),
        ("number", "1_0", "a finite number"),
        ("decimal", "NaN", "a decimal number"),
        ("decimal", "5 USD", "a decimal number"),
        ("seconds", "10s", "a number of seconds"),
        ("seconds", "-1", "a number of seconds of at least 0"),
        ("seconds", "1e300", "a number of seconds"),
        ("boolean", "yes", "true, false, 1 or 0"),
        ("boolean", "True", "true, false, 1 or 0"),
        ("choice", "c", "one of a, b"),
        ("csv", "a,,b", "texts between commas"),
        ("json", '["x"]', "JSON as expected"),
        ("json", "[", "JSON as expected"),
        ("secret_bytes", "c2hvcnQ=", f"base64 of at least {MIN_SECRET_BYTES} bytes"),
        ("secret_bytes", "!" * 60, f"base64 of at least {MIN_SECRET_BYTES} bytes"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(kind: str, value: str, allowed: str) -> None:
    assert f"must be {allowed}" in problem(value, READERS[kind])


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_variable_without_a_default_is_required_and_nothing_is_no_value(kind: str, value: str | None) -> None:
    assert problem(value, READERS[kind]) == "is not set"


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (lambda env: env.text("X", default="d"), "d"),
        (lambda env: env.text("X", default=""), ""),
        (lambda env: env.integer("X", default=0, minimum=1), 0),
        (lambda env: env.number("X", default=1.5), 1.5),
        (lambda env: env.decimal("X", default=Decimal(2)), Decimal(2)),
        (lambda env: env.seconds("X", default=timedelta(1)), timedelta(1)),
        (lambda env: env.boolean("X", default=False), False),
        (lambda env: env.choice("X", ("a", "b"), default="b"), "b"),
        (lambda env: env.csv("X", default=()), ()),
        (lambda env: env.json("X", dict[str, int], default={}), {}),
    ],
)
@pytest.mark.parametrize("environ", [{}, {"X": ""}])
def test_a_default_stands_in_for_a_variable_that_is_not_set(
    environ: dict[str, str], how: Callable[[Environment], Any], expected: object
) -> None:
    env = Environment(environ)
    assert how(env) == expected
    env.check()


def test_a_default_does_not_stand_in_for_a_wrong_value() -> None:
    assert "is 'x'" in problem("x", lambda env: env.integer("X", default=1))


@pytest.mark.parametrize(
    ("value", "minimum", "maximum", "allowed"),
    [
        ("4", 5, 9, "from 5 to 9"),
        ("10", 5, 9, "from 5 to 9"),
        ("4", 5, None, "at least 5"),
        ("10", None, 9, "at most 9"),
    ],
)
def test_a_number_beyond_its_limits_is_refused(
    value: str, minimum: int | None, maximum: int | None, allowed: str
) -> None:
    assert allowed in problem(value, lambda env: env.integer("X", minimum=minimum, maximum=maximum))


def test_the_limits_themselves_are_allowed() -> None:
    assert read("5", lambda env: env.integer("X", minimum=5, maximum=5)) == 5
    assert read("5", lambda env: env.seconds("X", maximum=timedelta(seconds=5))) == timedelta(seconds=5)


def test_all_wrong_variables_are_reported_together() -> None:
    env = Environment({"PORT": "http", "LEVEL": "loud", "PROJECT": "p"})
    env.text("PROJECT")
    env.integer("PORT")
    env.choice("LEVEL", ("low", "high"))
    env.text("REGION")

    with pytest.raises(SettingsError) as raised:
        env.check()

    assert set(raised.value.variables) == {"PORT", "LEVEL", "REGION"}
    assert "PORT is 'http', must be a whole number; LEVEL is 'loud', must be one of low, high" in str(raised.value)
    assert raised.value.code == "invalid_settings"


def test_an_explicit_value_beats_the_environment() -> None:
    env = Environment({"PORT": "wrong", "HOST": "a"}, explicit={"PORT": "8080"})
    assert (env.integer("PORT"), env.text("HOST")) == (8080, "a")
    env.check()


def test_text_must_match_its_pattern_as_a_whole() -> None:
    assert read("abc", lambda env: env.text("X", pattern="[a-c]+")) == "abc"
    assert "must be text that matches [a-c]+" in problem("abcd", lambda env: env.text("X", pattern="[a-c]+"))


def test_json_becomes_the_given_type() -> None:
    tenants = read('[{"name": "a", "cap": "1.50"}]', lambda env: env.json("X", tuple[Tenant, ...]))
    assert tenants == (Tenant(name="a", cap=Decimal("1.50")),)


@pytest.mark.parametrize("kind", ["json", "secret_bytes"])
def test_a_value_that_may_hold_secrets_is_never_shown(kind: str) -> None:
    assert "hunter2" not in problem('"hunter2"', READERS[kind])


def test_a_long_value_is_shown_in_part() -> None:
    assert len(problem("x" * 10_000, READERS["integer"])) < 200


@given(st.text(), st.sampled_from(sorted(READERS)))
def test_no_text_makes_reading_fail_otherwise(value: str, kind: str) -> None:
    env = Environment({"X": value})
    READERS[kind](env)
    with suppress(SettingsError):
        env.check()
