"""The hours of the worker against its bill: BigQuery from the emulator, Monitoring over gRPC, `record_cost` between."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from functions_framework import create_app

import functions
from cloud.monitoring import GoogleBillableTime
from events.envelope import decode
from events.errors import TransientError
from events.messages import CostRecorded
from functions.reconcile_idle import ReconcileIdle
from jobs.desk import utc_now
from local.topology import declare
from tests.fakes import FakePublisher, SettableClock
from tests.integration.costs.billing_api import BillingApi
from tests.integration.costs.table import NOON, REGION, cost, event, job_cost
from warehouse.hours import WorkerHours
from warehouse.settings import ReconciliationSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.bigquery import BigQueryEmulator
    from tests.integration.adapters.conftest import Subscriptions
    from tests.integration.costs.table import CostTable

HOUR = timedelta(hours=1)
SERVICE = "cutout-worker"
SETTINGS = ReconciliationSettings.from_env(
    {"WORKER_SERVICE": SERVICE, "WORKER_REGIONS": REGION, "RECONCILED_HOURS": "6"}
)
[BILLING] = SETTINGS.billings


@pytest.fixture
def billing() -> Iterator[BillingApi]:
    with BillingApi() as api:
        yield api


@pytest.fixture
def billable(billing: BillingApi) -> Iterator[GoogleBillableTime]:
    port = GoogleBillableTime.connect(project="p", region=REGION, emulator=billing.address, deadline=2.0)
    yield port
    port.close()


class World:
    """The function, and its events recorded as soon as they are sent."""

    def __init__(
        self, table: CostTable, billable: GoogleBillableTime, settings: ReconciliationSettings = SETTINGS
    ) -> None:
        self.table = table
        self.clock = SettableClock(NOON + 2 * HOUR)
        self._publisher = FakePublisher()
        hours = WorkerHours(table.queries, dataset=table.dataset, region=REGION)
        self._reconcile = ReconcileIdle(hours, billable, self._publisher, settings, BILLING, clock=self.clock)

    def run(self) -> list[tuple[str, Decimal, int | None]]:
        """Whatever was sent until now arrives once more."""
        costs = self._reconcile()
        for message in self._publisher.on("costs"):
            self.table.record(decode(message.data, message.attributes, CostRecorded))
        return [(one.kind, one.usd, one.revision) for one in costs]

    def usd(self, kind: str) -> Decimal:
        found = self.table.scalar(f"IFNULL(SUM(IF(kind = '{kind}', usd, 0)), 0)")
        assert isinstance(found, Decimal)
        return found


@pytest.fixture
def world(table: CostTable, billable: GoogleBillableTime) -> World:
    world = World(table, billable)
    world.clock.now = NOON + HOUR + timedelta(minutes=6)
    return world


def bill(seconds: float) -> Decimal:
    return BILLING.price(BILLING.usage(seconds))


def test_an_hour_adds_up_to_its_bill_and_stays_so_however_often_it_is_reconciled(
    world: World, billing: BillingApi
) -> None:
    billing.billed = {NOON: 1234.5}
    world.table.record(job_cost(occurred_at=NOON + timedelta(minutes=3)), job_cost(occurred_at=NOON + HOUR / 2))

    first = world.run()
    assert [(kind, revision) for kind, _, revision in first] == [("idle", 0), ("warmup", 0)]
    assert world.table.scalar("SUM(usd)") == bill(1234.5)
    assert world.table.scalar("SUM(gpu_seconds)") == pytest.approx(1234.5)
    assert world.run() == []
    assert world.table.scalar("SUM(usd)") == bill(1234.5)


def test_a_job_that_was_told_with_two_times_is_taken_off_one_hour_once(world: World, billing: BillingApi) -> None:
    """In the same hour as the view counts it, though only the other time is in the look-back's hours."""
    billing.billed = {NOON - HOUR: 600.0, NOON: 600.0}
    world.table.record(job_cost("told-twice", occurred_at=NOON), job_cost("told-twice", occurred_at=NOON - HOUR / 2))
    edge = NOON - 5 * HOUR
    billing.billed[edge] = 600.0
    world.table.record(job_cost("at-the-edge", occurred_at=edge), job_cost("at-the-edge", occurred_at=edge - HOUR / 2))

    world.run()
    assert world.table.scalar(f"SUM(IF(occurred_at >= '{edge:%Y-%m-%d %H:%M:%S}+00', usd, 0))") == 3 * bill(600)
    assert world.run() == []


def test_jobs_and_bills_that_come_late_make_a_further_revision(world: World, billing: BillingApi) -> None:
    billing.billed = {NOON: 600.0}
    world.run()
    world.table.record(job_cost(occurred_at=NOON + timedelta(minutes=5)))
    assert world.run() == [("idle", bill(600) - Decimal("0.0011841"), 1)]
    assert world.table.scalar("SUM(usd)") == bill(600)

    billing.billed[NOON] = 900.0
    assert world.run() == [("idle", bill(900) - Decimal("0.0011841"), 2)]
    assert world.table.scalar("SUM(usd)") == bill(900)


def test_a_cost_out_of_a_dead_letter_is_no_longer_in_its_hours_idle_time(
    table: CostTable, billable: GoogleBillableTime, billing: BillingApi
) -> None:
    """With the usual look-back, replayed at the end of the week for which it is kept."""
    usual = ReconciliationSettings.from_env({"WORKER_SERVICE": SERVICE, "WORKER_REGIONS": REGION})
    world = World(table, billable, usual)
    billing.billed = {NOON: 600.0}
    world.run()

    world.clock.now += 7 * 24 * HOUR
    table.record(job_cost(occurred_at=NOON + HOUR / 2))
    assert world.run() == [("idle", bill(600) - Decimal("0.0011841"), 1)]
    assert table.scalar("SUM(usd)") == bill(600)


def test_waiting_after_a_warm_up_is_the_warm_ups(world: World, billing: BillingApi) -> None:
    """Warm-up at 12:00, job at 12:04, nothing more: 4 of the 14 minutes, whatever the warm-up was reckoned to cost."""
    billing.billed = {NOON: 840.0}
    reckoned = cost(kind="warmup", usd=Decimal("0.246"), revision=None)
    world.table.record(event(reckoned), job_cost(occurred_at=NOON + timedelta(minutes=4)))
    assert world.usd("warmup") == Decimal("0.246")

    world.run()
    left = bill(840) - Decimal("0.0011841")
    assert world.usd("warmup") == pytest.approx(left * 4 / 14, abs=Decimal("0.000000001"))
    assert world.table.scalar("SUM(usd)") == bill(840)


def test_a_catalogue_runs_on_instances_of_its_own(world: World, billing: BillingApi) -> None:
    billing.billed = {NOON: 600.0}
    at = NOON + timedelta(minutes=5)
    world.table.record(job_cost(occurred_at=at), job_cost(occurred_at=at + HOUR / 4, speculative=True))
    assert ("idle", bill(600) - Decimal("0.0011841"), 0) in world.run()
    assert world.table.scalar("SUM(IF(speculative, 0, usd))") == bill(600)


def test_only_hours_that_are_over_and_known_are_looked_at(world: World, billing: BillingApi) -> None:
    billing.billed = {NOON + count * HOUR: 100.0 for count in range(-10, 10)}
    world.clock.now = NOON + HOUR + timedelta(minutes=4)
    world.run()

    hours = world.table.view("cost_events")
    assert {row["occurred_at"] for row in hours} == {NOON + count * HOUR for count in range(-6, 0)}
    [request] = billing.asked
    assert request.name == "projects/p"
    assert SERVICE in request.filter
    assert REGION in request.filter
    assert "run.googleapis.com/container/billable_instance_time" in request.filter


def test_an_hour_that_nothing_is_known_of_is_left_alone(world: World, billing: BillingApi) -> None:
    billing.billed = {}
    world.table.record(job_cost())
    assert world.run() == []


def test_other_regions_are_not_mixed_in(world: World, billing: BillingApi) -> None:
    billing.billed = {NOON: 60.0}
    world.table.record(job_cost(region="us-central1"))
    world.run()
    assert world.table.scalar(f"SUM(IF(region = '{REGION}', usd, 0))") == bill(60)


def test_monitoring_that_is_away_for_a_moment_is_asked_again(billable: GoogleBillableTime, billing: BillingApi) -> None:
    billing.billed = {NOON: 5.0}
    billing.failures = [grpc.StatusCode.UNAVAILABLE]
    assert billable.by_hour(SERVICE, NOON, NOON + HOUR) == {NOON: 5.0}


@pytest.mark.parametrize("failure", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAVAILABLE])
def test_monitoring_that_stays_away_is_a_failure_that_may_pass(
    billable: GoogleBillableTime, billing: BillingApi, failure: grpc.StatusCode
) -> None:
    billing.failures = [failure] * 50
    with pytest.raises(TransientError, match=SERVICE):
        billable.by_hour(SERVICE, NOON, NOON + HOUR)


def test_the_function_answers_the_schedulers_post(
    monkeypatch: pytest.MonkeyPatch,
    table: CostTable,
    billing: BillingApi,
    bigquery: BigQueryEmulator,
    pubsub: str,
    subscriptions: Subscriptions,
) -> None:
    """As functions-framework runs it: settings from the environment, its revisions on the topic of costs.

    An instance idles on in the region that the jobs went to before, so both are looked at.
    """
    declare(bigquery.project, pubsub, ["costs"], ())
    listening = subscriptions.subscribe("costs")
    hour = utc_now().replace(minute=0, second=0, microsecond=0) - 2 * HOUR
    billing.billed = {hour: 300.0}
    settings = {
        "PROJECT": bigquery.project,
        "REGION": "us-central1",
        **{f"{name}_BUCKET": name.lower() for name in ("UPLOADS", "MATTES", "RESULTS", "JOBS")},
        "CONTENT_SECRET": "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
        "MODEL": "instant-000000000000-fp32-p1",
        "DATASET": table.dataset,
        "WORKER_SERVICE": SERVICE,
        "WORKER_REGIONS": f"{REGION},us-central1",
        "BIGQUERY_EMULATOR_HOST": bigquery.url,
        "MONITORING_EMULATOR_HOST": billing.address,
        "PUBSUB_EMULATOR_HOST": pubsub,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    app = create_app("reconcile_idle", str(Path(functions.__file__).with_name("main.py")), "http")

    answer = app.test_client().post("/")
    assert (answer.status_code, answer.get_json()) == (200, {"revisions": 4})
    messages = [subscriptions.pull(listening) for _ in range(4)]
    costs = [decode(each.data, dict(each.attributes), CostRecorded).data for each in messages]
    assert {(each.occurred_at, each.region, each.usd, each.revision) for each in costs if each.kind == "idle"} == {
        (hour, REGION, bill(300), 0),
        (hour, "us-central1", bill(300), 0),
    }
