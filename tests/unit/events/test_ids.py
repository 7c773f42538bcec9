from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.ids import content_id, event_id, job_time, new_job_id
from tests.unit.examples import JOB_ID, OTHER_JOB_ID, SHA256

COMPLETED: Final = "cutout.result.completed.v1"
COST: Final = "cutout.cost.recorded.v1"

moments = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001  # the strategy wants it naive, and adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001  # likewise
    timezones=st.just(UTC),
)


@given(moments)
def test_a_job_id_is_a_version_7_uuid_of_the_rfc_variant(now: datetime) -> None:
    made = uuid.UUID(new_job_id(now))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


@given(moments)
def test_a_job_id_tells_its_millisecond(now: datetime) -> None:
    assert job_time(new_job_id(now)) == now - timedelta(microseconds=now.microsecond % 1000)


@given(moments, st.integers(min_value=1, max_value=10**10))
def test_job_ids_of_later_milliseconds_sort_later(now: datetime, milliseconds: int) -> None:
    """Even where the earlier one has the largest random bits and the later one the smallest."""
    earlier = new_job_id(now, lambda bits: 2**bits - 1)
    later = new_job_id(now + timedelta(milliseconds=milliseconds), lambda _bits: 0)
    assert earlier < later


def test_job_ids_of_one_moment_differ() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert len({new_job_id(now) for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("event_type", "part", "run", "expected"),
    [
        (COMPLETED, "", 0, "ddf44e8c-33f0-5d50-99b0-3090ecd9aa47"),
        (COMPLETED, "", 1, "2e724e80-b70b-52e6-8686-c597565fd70e"),
        (COST, "gpu:x", 0, "f010a1ea-9e0a-54e3-8a03-3e9520776aa7"),
    ],
)
def test_event_ids_never_change(event_type: str, part: str, run: int, expected: str) -> None:
    """Subscribers drop what they have seen, and the warehouse deduplicates, by these very values."""
    assert event_id(JOB_ID, event_type, part, run) == expected


def test_event_ids_differ_by_job_type_part_and_run() -> None:
    ids = {
        event_id(job_id, event_type, part, run)
        for job_id in (JOB_ID, OTHER_JOB_ID)
        for event_type in (COMPLETED, COST)
        for part in ("", "gpu:a", "gpu:b")
        for run in (0, 1, 10)
    }
    assert len(ids) == 2 * 2 * 3 * 3


def test_a_content_id_never_changes() -> None:
    """It names every cached matte and result."""
    assert content_id(b"0" * 32, "acme", SHA256) == "1e965522826ccf0c721cb3f265d2e510b9e10f46265aa5d1cfd7341c23ab1a2e"


def test_a_content_id_depends_on_secret_tenant_and_content() -> None:
    other = SHA256[::-1]
    ids = {
        content_id(secret, tenant, sha) for secret in (b"a", b"b") for tenant in ("a", "b") for sha in (SHA256, other)
    }
    assert len(ids) == 8
    assert all(SHA256 not in made for made in ids)
