from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.messages import DeliveryRequested
from tests.unit.examples import AT, EXAMPLES
from webhooks.retries import RetryPolicy, Step, Tried, next_step, retry_after

[EXAMPLE] = [message for message in EXAMPLES if isinstance(message, DeliveryRequested)]
POLICY = RetryPolicy()
MINUTE = timedelta(minutes=1)


def delivery(attempt: int = 1, *, since: timedelta | None = None) -> DeliveryRequested:
    """One whose first attempt was made that long before `AT`."""
    first = None if since is None else AT - since
    return msgspec.structs.replace(EXAMPLE, attempt=attempt, first_attempt_at=first)


def step(tried: Tried, **of: object) -> Step:
    return next_step(delivery(**of), tried, POLICY, now=AT)  # type: ignore[arg-type]  # keywords as they are


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_success_is_any_2xx(status: int) -> None:
    assert step(Tried(status=status)) == Step("delivered")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 422, 499])
def test_what_the_receiver_will_never_take_is_not_repeated(status: int) -> None:
    assert step(Tried(status=status)) == Step("rejected")


def test_a_forbidden_target_is_not_tried_again() -> None:
    assert step(Tried(problem="forbidden")) == Step("rejected")


@pytest.mark.parametrize("status", [301, 302, 307, 408, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_parked(status: int) -> None:
    made = step(Tried(status=status))
    assert made.outcome == "parked"
    assert made.due is not None
    assert AT + timedelta(seconds=15) <= made.due <= AT + timedelta(seconds=30)


@pytest.mark.parametrize("problem", ["dns", "connect", "tls", "timeout", "protocol", "network"])
def test_a_receiver_that_can_not_be_reached_is_tried_again(problem: str) -> None:
    assert step(Tried(problem=problem)).outcome == "parked"


def test_the_last_attempt_is_made_when_the_window_ends() -> None:
    late = step(Tried(status=500), attempt=14, since=POLICY.window - MINUTE)
    assert late == Step("parked", AT + MINUTE)
    assert step(Tried(status=500), attempt=15, since=POLICY.window) == Step("expired")
    assert step(Tried(status=200), attempt=15, since=POLICY.window) == Step("delivered")


def test_an_attempt_that_was_not_made_never_ends_a_delivery() -> None:
    spared = Tried(problem="circuit_open", retry_after="30", spared=True)
    assert step(spared, attempt=15, since=POLICY.window) == Step("parked", AT)
    assert step(spared, attempt=15, since=POLICY.window + MINUTE) == Step("parked", AT)
    early = step(spared)
    assert early.due is not None
    assert early.due >= AT + timedelta(seconds=30)


def test_a_receiver_that_never_answers_gets_some_fifteen_attempts_in_a_day() -> None:
    now, attempts = AT, 1
    tried = delivery()
    while (made := next_step(tried, Tried(status=503), POLICY, now=now)).due is not None:
        now, attempts = made.due, attempts + 1
        tried = msgspec.structs.replace(tried, attempt=attempts, first_attempt_at=AT)
    assert made == Step("expired")
    assert now == AT + POLICY.window
    assert 14 <= attempts <= 20


@given(st.uuids(), st.integers(1, 10_000))
def test_pauses_double_with_jitter_up_to_the_longest(delivery_id: object, attempt: int) -> None:
    pause = POLICY.pause(str(delivery_id), attempt)
    doubled = min(POLICY.first.total_seconds() * 2.0 ** min(attempt - 1, 50), POLICY.longest.total_seconds())
    assert doubled / 2 - 0.001 <= pause.total_seconds() <= doubled + 0.001
    assert pause == POLICY.pause(str(delivery_id), attempt)


def test_deliveries_that_failed_together_come_back_at_different_times() -> None:
    assert len({POLICY.pause(f"delivery-{n}", 5) for n in range(100)}) == 100


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("٣", 0),
        ("9" * 400, 999_999_999),
        (format_datetime(AT.replace(microsecond=0) + timedelta(seconds=90), usegmt=True), 89.75),
        (format_datetime(AT - timedelta(days=1), usegmt=True), 0),
        ("Mon, 23 Nov 2026 12:01:00", 59.75),
        ("Mon, 99 Nov 2026 12:01:00 GMT", 0),
        ("Mon, 23 Nov 99999 12:01:00 GMT", 0),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", 0),
        ("Mon, 01 Jan 2027 99999999999999999999:00:00 GMT", 0),
        ("Mon, 01 Jan 2027 00:00:00 +99999999999999999999", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float) -> None:
    assert retry_after(header, now=AT) == timedelta(seconds=seconds)


NUMBERS = st.integers(0, 9999) | st.integers(0, 10**30)
DATES = st.builds(
    "Mon, {} Jan {} {}:{}:00 {}{}".format, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["+", "-"]), NUMBERS
)


@given(st.text(max_size=40) | DATES)
def test_no_header_breaks_the_schedule(header: str) -> None:
    assert retry_after(header, now=AT) >= timedelta(0)


def test_a_pause_that_the_receiver_asks_for_is_honoured_within_bounds() -> None:
    assert step(Tried(status=429, retry_after="600")).due == AT + timedelta(seconds=600)
    assert step(Tried(status=503, retry_after="86400")).due == AT + POLICY.longest
    sooner = step(Tried(status=429, retry_after="1")).due
    assert sooner is not None
    assert sooner >= AT + timedelta(seconds=15)
    assert step(Tried(status=404, retry_after="600")) == Step("rejected")


def test_times_are_utc() -> None:
    due = step(Tried(status=500)).due
    assert isinstance(due, datetime)
    assert due.tzinfo is UTC
