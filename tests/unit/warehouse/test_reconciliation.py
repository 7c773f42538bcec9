from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.prices import Usage
from jobs.costs import Billing
from warehouse.reconciliation import (
    HOUR,
    KEEP_ALIVE,
    RecordedHour,
    Request,
    Revision,
    cost_event,
    reconcile,
    warming_share,
)

if TYPE_CHECKING:
    from events.messages import CostRecorded

NOON: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
WORKER: Final = Billing(kind="idle", plan="instance", region="europe-west4", vcpus=8, gib=32, gpus=1)

seconds = st.floats(min_value=0, max_value=20 * 3600, allow_nan=False)
requests = st.lists(
    st.builds(
        Request,
        st.floats(-600, 3600).map(lambda after: NOON + timedelta(seconds=after)),
        warm_up=st.booleans(),
    )
).map(sorted)


def job(minute: float) -> Request:
    return Request(NOON + timedelta(minutes=minute), warm_up=False)


def warm_up(minute: float) -> Request:
    return Request(NOON + timedelta(minutes=minute), warm_up=True)


def bill(billed: float) -> Decimal:
    return WORKER.price(WORKER.usage(billed))


def usd(costs: list[CostRecorded]) -> dict[str, Decimal]:
    return {cost.kind: cost.usd for cost in costs}


class TestReconciling:
    @given(seconds, seconds, requests)
    def test_jobs_and_revisions_add_up_to_the_bill(self, billed: float, busy: float, requests: list[Request]) -> None:
        recorded = RecordedHour(jobs_usd=bill(busy), jobs=WORKER.usage(busy))
        costs = reconcile(NOON, billed, WORKER, recorded, requests)
        assert sum(usd(costs).values(), Decimal(0)) + bill(busy) == max(bill(billed), bill(busy))
        assert all(cost.usd >= 0 and cost.revision == 0 for cost in costs)
        left = max(0.0, billed - busy)
        assert sum(cost.gpu_seconds for cost in costs) == pytest.approx(left, abs=1e-5)
        assert sum(cost.gib_seconds for cost in costs) == pytest.approx(32 * left, abs=1e-4)

    @given(seconds, seconds, requests)
    def test_what_adds_up_already_is_left_alone(self, billed: float, busy: float, requests: list[Request]) -> None:
        recorded = RecordedHour(jobs_usd=bill(busy), jobs=WORKER.usage(busy))
        first = {cost.kind: cost for cost in reconcile(NOON, billed, WORKER, recorded, requests)}
        known = RecordedHour(
            jobs_usd=recorded.jobs_usd,
            jobs=recorded.jobs,
            idle=Revision(0, first["idle"].usd) if first else None,
            warmup=Revision(0, first["warmup"].usd) if first else None,
        )
        assert reconcile(NOON, billed, WORKER, known, requests) == []

    def test_only_the_kind_that_changed_gets_a_revision(self) -> None:
        known = RecordedHour(idle=Revision(4, Decimal(1)), warmup=Revision(2, Decimal(0)))
        [cost] = reconcile(NOON, 600, WORKER, known, [])
        assert (cost.kind, cost.revision, cost.usd) == ("idle", 5, bill(600))

    def test_an_hour_without_instances_has_no_rows(self) -> None:
        assert reconcile(NOON, 0, WORKER, RecordedHour(), [warm_up(3)]) == []

    def test_an_hour_whose_bill_was_taken_back_is_revised_to_nothing(self) -> None:
        known = RecordedHour(idle=Revision(0, Decimal(1)), warmup=Revision(0, Decimal(2)))
        assert usd(reconcile(NOON, 0, WORKER, known, [])) == {"idle": 0, "warmup": 0}

    def test_jobs_that_cost_more_than_was_billed_leave_nothing_over(self) -> None:
        recorded = RecordedHour(jobs_usd=bill(700), jobs=Usage(gpu_seconds=700, vcpu_seconds=5600, gib_seconds=22400))
        costs = reconcile(NOON, 600, WORKER, recorded, [])
        assert usd(costs) == {"idle": 0, "warmup": 0}
        assert costs[0].gpu_seconds == 0

    def test_idle_time_and_warming_share_what_is_left(self) -> None:
        costs = reconcile(NOON, 1200, WORKER, RecordedHour(), [warm_up(0), job(5)])
        assert usd(costs)["warmup"] == pytest.approx(bill(1200) * 5 / 15, abs=Decimal("1e-9"))


class TestWarmingShare:
    @pytest.mark.parametrize(
        ("requests", "minutes_warming", "minutes_idle"),
        [
            pytest.param([], 0, 1, id="nothing known"),
            pytest.param([warm_up(10)], 10, 0, id="nobody came"),
            pytest.param([job(10)], 0, 10, id="no warm-up"),
            pytest.param([warm_up(10), job(13)], 3, 10, id="a job ends it"),
            pytest.param([job(10), warm_up(18)], 10, 8, id="a warm-up makes it longer"),
            pytest.param([job(10), warm_up(30)], 10, 10, id="two instances' lives"),
            pytest.param([warm_up(10), warm_up(14), job(22)], 12, 10, id="warmed twice"),
            pytest.param([warm_up(-6)], 4, 0, id="since before the hour"),
            pytest.param([warm_up(55)], 5, 0, id="to its end"),
            pytest.param([warm_up(-10), job(-2)], 0, 8, id="a job before the hour ended it"),
        ],
    )
    def test_waiting_is_for_the_last_request_and_ten_minutes_long(
        self, requests: list[Request], minutes_warming: int, minutes_idle: int
    ) -> None:
        expected = minutes_warming / (minutes_warming + minutes_idle)
        assert warming_share(NOON, requests) == pytest.approx(expected)

    @given(requests)
    def test_it_is_a_share(self, requests: list[Request]) -> None:
        assert 0 <= warming_share(NOON, requests) <= 1

    def test_what_was_over_before_the_hour_does_not_count(self) -> None:
        before = Request(NOON - KEEP_ALIVE, warm_up=True)
        assert warming_share(NOON, [before, job(0)]) == 0


class TestEvents:
    def test_a_revision_made_again_has_the_same_id_and_no_other_has_it(self) -> None:
        ids = [
            cost_event(cost).id
            for hour in (NOON, NOON + HOUR)
            for known in (RecordedHour(), RecordedHour(idle=Revision(0, Decimal(9)), warmup=Revision(0, Decimal(9))))
            for _ in range(2)
            for cost in reconcile(hour, 60, WORKER, known, [])
        ]
        assert len(ids) == 16
        assert len(set(ids)) == 8
        assert len({ids.count(each) for each in ids}) == 1

    def test_it_goes_to_the_topic_of_costs(self) -> None:
        [cost, _] = reconcile(NOON, 60, WORKER, RecordedHour(), [])
        message = cost_event(cost).outgoing("costs")
        assert message.attributes["ce-subject"] == "europe-west4/2026-11-23T12"
        assert message.attributes["ce-time"] == "2026-11-23T12:00:00Z"
