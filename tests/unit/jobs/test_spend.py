from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from events.ids import new_job_id
from events.names import spend_name
from jobs.spend import DailySpend
from tests.fakes import FakeStore, SettableClock
from tests.unit.examples import TENANT
from tests.unit.scene import BUCKETS


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(datetime(2026, 11, 23, 23, 0, tzinfo=UTC))


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def spend(store: FakeStore, clock: SettableClock) -> DailySpend:
    return DailySpend(store, BUCKETS.jobs, clock)


def add(store: FakeStore, at: datetime, nano_usd: int, *, tenant: str = TENANT) -> None:
    store.put(BUCKETS.jobs, spend_name(tenant, at.date(), new_job_id(at), 0, nano_usd), b"")


def test_a_tenant_without_jobs_has_spent_nothing(spend: DailySpend) -> None:
    assert spend.usd(TENANT) == 0


def test_the_days_amounts_are_added_exactly(store: FakeStore, clock: SettableClock, spend: DailySpend) -> None:
    for nano_usd in (1_184_100, 1, 2_000_000_000):
        add(store, clock(), nano_usd)
    assert spend.usd(TENANT) == Decimal("2.001184101")


def test_other_tenants_and_other_days_are_not_counted(
    store: FakeStore, clock: SettableClock, spend: DailySpend
) -> None:
    add(store, clock(), 5)
    add(store, clock(), 7, tenant="globex")
    add(store, clock(), 7, tenant="acme-2")
    add(store, clock() - timedelta(days=1), 7)
    assert spend.usd(TENANT) == Decimal("0.000000005")


def test_the_sum_is_asked_for_at_most_every_30_seconds(
    store: FakeStore, clock: SettableClock, spend: DailySpend
) -> None:
    assert spend.usd(TENANT) == 0
    add(store, clock(), 1_000_000_000)
    clock.advance(29)
    assert spend.usd(TENANT) == 0
    clock.advance(1)
    assert spend.usd(TENANT) == 1
    assert len(store.faults.operations) == 2


def test_each_tenant_is_remembered_for_itself(store: FakeStore, clock: SettableClock, spend: DailySpend) -> None:
    add(store, clock(), 1_000_000_000, tenant="globex")
    assert [spend.usd(tenant) for tenant in (TENANT, "globex", TENANT)] == [Decimal(0), Decimal(1), Decimal(0)]


def test_a_new_day_starts_at_nothing_at_once(store: FakeStore, clock: SettableClock, spend: DailySpend) -> None:
    clock.now = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
    add(store, clock(), 1_000_000_000)
    assert spend.usd(TENANT) == 1
    clock.advance(1)
    assert spend.usd(TENANT) == 0


def test_the_day_is_that_of_utc(store: FakeStore, spend: DailySpend, clock: SettableClock) -> None:
    add(store, datetime(2026, 11, 23, 22, 30, tzinfo=UTC), 1_000_000_000)
    clock.now = datetime.fromisoformat("2026-11-24T00:30:00+02:00")
    assert spend.usd(TENANT) == 1
