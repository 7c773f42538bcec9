from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import InvalidMessageError
from jobs.records import AwaitingUpload, Deleted, JobRecords, state_of
from tests.fakes import FakeStore
from tests.unit.examples import AT, JOB_ID, OTHER_JOB_ID, SHA256, TENANT
from tests.unit.scene import BUCKETS

STRONGER = ["awaiting_upload", "queued", "failed-0", "done", "deleted"]


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def records(store: FakeStore) -> JobRecords:
    return JobRecords(store, BUCKETS.jobs)


def awaiting(job_id: str = JOB_ID) -> AwaitingUpload:
    return AwaitingUpload(job_id=job_id, tenant=TENANT, token_sha256=SHA256, created_at=AT)


@given(st.sets(st.sampled_from(STRONGER), min_size=1))
def test_the_strongest_record_present_is_the_state(present: set[str]) -> None:
    strongest = max(present, key=STRONGER.index)
    assert state_of(present).state == strongest.removesuffix("-0")


def test_a_job_without_records_is_no_job() -> None:
    assert state_of([]).state is None


def test_the_newest_failed_run_counts_by_number_not_by_name() -> None:
    state = state_of(["queued", "failed-2", "failed-10", "failed-9"])
    assert (state.state, state.failed_run) == ("failed", 10)


@pytest.mark.parametrize("name", ["failed-", "failed-x", "failed-1-2", "Done", "notes"])
def test_other_objects_are_no_state(name: str) -> None:
    assert state_of([name]).state is None


def test_the_first_writer_of_a_record_wins(records: JobRecords) -> None:
    first = records.create_or_read(TENANT, JOB_ID, "awaiting_upload", awaiting())
    second = records.create_or_read(TENANT, JOB_ID, "awaiting_upload", awaiting(OTHER_JOB_ID))
    assert second == first == awaiting()
    assert not records.create(TENANT, JOB_ID, "awaiting_upload", awaiting(OTHER_JOB_ID))


def test_records_are_read_back_as_they_were_written(records: JobRecords) -> None:
    records.create(TENANT, JOB_ID, "deleted", Deleted(deleted_at=AT))
    assert records.read(TENANT, JOB_ID, "deleted", Deleted) == Deleted(deleted_at=AT)
    assert records.read(TENANT, JOB_ID, "done", Deleted) is None


def test_the_state_is_that_of_this_job_alone(records: JobRecords) -> None:
    records.create(TENANT, JOB_ID, "awaiting_upload", awaiting())
    records.create(TENANT, OTHER_JOB_ID, "deleted", Deleted(deleted_at=AT))
    records.create("acme-2", JOB_ID, "deleted", Deleted(deleted_at=AT))
    assert records.state(TENANT, JOB_ID).records == {"awaiting_upload"}


def test_a_record_that_is_none_of_ours_is_refused(records: JobRecords, store: FakeStore) -> None:
    store.put(BUCKETS.jobs, f"{TENANT}/{JOB_ID}/awaiting_upload.json", b'{"tenant":"acme"}')
    with pytest.raises(InvalidMessageError) as refusal:
        records.read(TENANT, JOB_ID, "awaiting_upload", AwaitingUpload)
    assert set(refusal.value.fields) == {"$.job_id", "$.token_sha256", "$.created_at"}
