from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

import msgspec
import pytest

from events.envelope import decode
from events.errors import NoForegroundError
from events.messages import CostRecorded, ObjectRef, Result, ResultCompleted
from events.prices import Usage
from events.recipe import Recipe
from jobs.costs import Billing, usage_from_metadata, usage_to_metadata
from jobs.meter import Meter
from jobs.outcome import JobRun, Spent, completed, failed, function_cost, told_result
from jobs.records import Outcome
from jobs.timing import Stopwatch
from tests.unit.examples import AT, JOB_ID, MODEL, TENANT, TRACEPARENT
from tests.unit.scene import FUNCTION, GPU

RUN: Final = JobRun(job_id=JOB_ID, tenant=TENANT, run=0, source="gpu_worker", traceparent=TRACEPARENT)


def results(count: int) -> tuple[Result, ...]:
    return tuple(
        Result(
            recipe=Recipe(max_side=16 + side),
            object=ObjectRef(bucket="r-cutout", name=f"{side}.png"),
            content_type="image/png",
            width=1,
            height=1,
            bytes=1,
            cache="miss",
        )
        for side in range(count)
    )


def outcome(count: int, spent: Spent) -> Outcome:
    return completed(
        RUN,
        at=AT,
        results=results(count),
        model=MODEL,
        lane="gpu",
        confidence=1,
        timings={},
        requested_at=AT,
        spent=spent,
    )


def costs(told: Outcome) -> list[CostRecorded]:
    return [decode(m.data, m.attributes, CostRecorded).data for m in told.messages if m.topic == "costs"]


@pytest.mark.parametrize("count", [1, 3, 7, 8])
def test_the_cost_of_a_run_is_shared_by_its_recipes_and_adds_up(count: int) -> None:
    told = outcome(count, Spent(usage=GPU.usage(3), billing=GPU))
    result = told_result(told)
    assert isinstance(result, ResultCompleted)
    assert len({message.attributes["ce-id"] for message in told.messages}) == 1 + count
    assert sum((cost.usd for cost in costs(told)), Decimal(0)) == result.cost_usd
    assert result.cost_usd == pytest.approx(Decimal("0.001184100"), abs=Decimal(count) * Decimal("0.000000001"))
    assert told.nano_usd == int(result.cost_usd * 10**9)
    assert sum(cost.gpu_seconds for cost in costs(told)) == pytest.approx(3)


@pytest.mark.parametrize("count", [1, 2, 8])
def test_the_fee_of_an_invocation_is_shared_by_its_records_too(count: int) -> None:
    told = outcome(count, Spent(usage=Usage(), billing=FUNCTION))
    assert sum((cost.usd for cost in costs(told)), Decimal(0)) == Decimal("0.000000400")


def test_a_failure_that_cost_something_says_how_much() -> None:
    told = failed(RUN, NoForegroundError("nothing"), at=AT, model=MODEL, spent=Spent(usage=GPU.usage(3), billing=GPU))
    [cost] = costs(told)
    assert (cost.usd, cost.model, cost.recipe, told.nano_usd) == (Decimal("0.001184100"), MODEL, None, 1_184_100)


def test_a_failure_that_cost_nothing_has_no_cost_record() -> None:
    told = failed(RUN, NoForegroundError("nothing"), at=AT)
    assert (costs(told), told.nano_usd) == ([], 0)


def test_what_a_function_cost_that_passed_a_job_on_has_an_id_of_its_own() -> None:
    """The same job's `render` may send one as well."""
    spent = Spent(usage=FUNCTION.usage(0.1), billing=FUNCTION)
    ids = {
        function_cost(msgspec.structs.replace(RUN, source=source), spent, at=AT).attributes["ce-id"]
        for source in ("on_upload", "render")
    }
    assert len(ids) == 2


def test_an_outcome_is_stored_and_read_back_letter_for_letter() -> None:
    told = outcome(2, Spent(usage=GPU.usage(3), billing=GPU))
    assert msgspec.json.decode(msgspec.json.encode(told), type=Outcome) == told


def test_usage_survives_as_metadata() -> None:
    usage = GPU.usage(1 / 3)
    assert usage_from_metadata(usage_to_metadata(usage)) == usage
    assert usage_from_metadata({}) == Usage()


def test_a_machine_is_used_in_all_its_parts_at_once() -> None:
    assert GPU.usage(2) == Usage(gpu_seconds=2, vcpu_seconds=16, gib_seconds=64)
    assert FUNCTION.usage(2) == Usage(vcpu_seconds=2, gib_seconds=2)


def test_the_plan_of_a_machine_sets_its_prices() -> None:
    usage = Usage(vcpu_seconds=1)
    function = Billing(kind="cpu", plan="function", region="r", vcpus=1, gib=1)
    instance = Billing(kind="cpu", plan="instance", region="r", vcpus=1, gib=1)
    assert (function.price(usage), instance.price(usage)) == (Decimal("0.000024400"), Decimal("0.000018000"))


def test_a_meter_tells_what_was_used_so_far() -> None:
    with Meter(FUNCTION).measure() as spent:
        first = spent().usage.vcpu_seconds
        second = spent().usage.vcpu_seconds
    assert 0 <= first <= second < timedelta(minutes=1).total_seconds()
    assert spent().billing == FUNCTION


def test_a_stage_that_runs_twice_is_added_up_and_never_negative() -> None:
    now = iter([0.0, 1.0, 5.0, 7.0])
    watch = Stopwatch(monotonic=lambda: next(now))
    for _ in range(2):
        with watch.stage("download"):
            pass
    watch.add("queue", -3)  # clocks of two machines differ
    assert watch.seconds == {"download": 3.0, "queue": 0.0}
