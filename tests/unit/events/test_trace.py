from __future__ import annotations

import pytest

from events.trace import child_traceparent, is_traceparent, known_traceparent, new_traceparent, trace_id
from tests.unit.examples import TRACEPARENT


def test_a_new_trace_is_valid_sampled_and_its_own() -> None:
    first, second = new_traceparent(), new_traceparent()
    assert is_traceparent(first)
    assert first.endswith("-01")
    assert trace_id(first) != trace_id(second)


def test_a_child_is_another_span_of_the_same_trace_with_the_same_flags() -> None:
    for parent in (TRACEPARENT, TRACEPARENT[:-2] + "00"):
        child = child_traceparent(parent)
        assert is_traceparent(child)
        assert trace_id(child) == trace_id(parent)
        assert child.split("-")[2] != parent.split("-")[2]
        assert child.split("-")[3] == parent.split("-")[3]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        TRACEPARENT.upper(),
        f"{TRACEPARENT}\n",
        f"{TRACEPARENT}-00",
        "ff" + TRACEPARENT[2:],
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
    ],
)
def test_what_is_not_a_traceparent_starts_a_new_trace(value: str) -> None:
    assert not is_traceparent(value)
    assert is_traceparent(child_traceparent(value))


@pytest.mark.parametrize(
    ("value", "known"),
    [
        (TRACEPARENT, TRACEPARENT),
        ("01" + TRACEPARENT[2:], TRACEPARENT),
        ("cc" + TRACEPARENT[2:] + "-what-the-future-brings", TRACEPARENT),
        ("01" + TRACEPARENT[2:-2] + "03", TRACEPARENT[:-2] + "01"),
        ("01" + TRACEPARENT[2:-2] + "02", TRACEPARENT[:-2] + "00"),
        ("01" + TRACEPARENT[2:] + ".x", None),
        ("01-00000000000000000000000000000000-b7ad6b7169203331-01", None),
        ("ff" + TRACEPARENT[2:], None),
    ],
)
def test_of_a_later_version_the_part_that_is_known_is_followed(value: str, known: str | None) -> None:
    """W3C Trace Context, section 3.2.4; of the flags only `sampled` is known."""
    assert known_traceparent(value) == known
    assert (trace_id(child_traceparent(value)) == trace_id(TRACEPARENT)) == (known is not None)


def test_a_missing_parent_starts_a_new_trace() -> None:
    assert is_traceparent(child_traceparent(None))
