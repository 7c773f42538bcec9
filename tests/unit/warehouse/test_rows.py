from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import decode, job_event
from events.errors import InvalidMessageError
from events.messages import CostRecorded
from tests.unit.examples import AT, EXAMPLES, JOB_ID, TENANT, TRACEPARENT
from warehouse.rows import cost_row
from warehouse.schema import COST_EVENTS, Column, ColumnType, TableSchema

[COST] = [example for example in EXAMPLES if isinstance(example, CostRecorded)]


def event(**changes: Any) -> Any:
    data = msgspec.structs.replace(COST, **changes)
    return job_event(
        data, tenant=TENANT, job_id=JOB_ID, part="gpu", run=0, source="test", time=AT, traceparent=TRACEPARENT
    )


def one_column(kind: ColumnType) -> TableSchema:
    return TableSchema(columns=(Column(name="a", type=kind, mode="NULLABLE", description=""),))


class TestRows:
    def test_the_table_has_a_column_for_each_field_of_a_cost_event_and_one_for_its_id(self) -> None:
        fields = {field.name for field in msgspec.structs.fields(CostRecorded)}
        assert {column.name for column in COST_EVENTS.columns} == fields | {"event_id"}

    def test_a_required_column_is_one_that_every_event_fills(self) -> None:
        bare = CostRecorded(occurred_at=AT, kind="idle", region="r", usd=Decimal(0), price_version="v")
        filled = cost_row(event_of(bare)).values
        assert {column.name for column in COST_EVENTS.columns if column.mode == "REQUIRED"} == set(filled)

    def test_a_row_has_the_id_of_its_event_and_its_values_as_json(self) -> None:
        row = cost_row(event())
        assert row.id == row.values["event_id"] == event().id
        assert row.values["occurred_at"] == "2026-11-23T12:00:00.250000Z"
        assert (row.values["usd"], row.values["gpu_seconds"], row.values["cold_start"]) == ("0.001184100", 3.0, True)

    @pytest.mark.parametrize("usd", ["1E-9", "4.00E-7", "0", "12.5"])
    def test_money_is_written_without_an_exponent(self, usd: str) -> None:
        written = cost_row(event(usd=Decimal(usd))).values["usd"]
        assert isinstance(written, str)
        assert "E" not in written
        assert Decimal(written) == Decimal(usd)

    @pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
    def test_what_a_column_can_not_hold_is_refused(self, seconds: float) -> None:
        with pytest.raises(InvalidMessageError, match=r"\$\.gpu_seconds: expected FLOAT"):
            cost_row(event(gpu_seconds=seconds))

    @given(st.decimals(min_value=0, max_value=10**9, places=9))
    def test_a_billionth_survives_the_way_through_event_and_row(self, usd: Decimal) -> None:
        message = event(usd=usd).outgoing("costs")
        read = decode(message.data, message.attributes, CostRecorded)
        assert Decimal(str(cost_row(read).values["usd"])) == usd


def event_of(data: CostRecorded) -> Any:
    return msgspec.structs.replace(event(), data=data)


class TestSchema:
    def test_every_problem_of_a_row_is_named_at_once(self) -> None:
        row = {**cost_row(event()).values, "kind": 3, "batch_size": True, "extra": 1}
        del row["region"]
        assert COST_EVENTS.problems(row) == {
            "extra": "not a column of the table",
            "kind": "expected STRING, got '3'",
            "region": "required, but missing",
            "batch_size": "expected INTEGER, got 'True'",
        }

    @pytest.mark.parametrize(
        ("kind", "good", "bad"),
        [
            ("STRING", ["", "é"], [1, b"x"]),
            (
                "TIMESTAMP",
                ["2026-11-23T12:00:00Z", "2026-11-23T12:00:00.25+01:00"],
                ["2026-11-23T12:00:00", "today", 5],
            ),
            ("INTEGER", [0, -(2**63), 2**63 - 1], [2**63, 1.0, True, "1"]),
            ("FLOAT", [0, 1.5, -1e300], [float("nan"), float("inf"), True, "1.5"]),
            ("BOOLEAN", [True, False], [0, "true"]),
            ("NUMERIC", ["0", "-1.123456789", "9" * 29], ["1." + "0" * 10, "9" * 30, "x", "NaN", 1.5]),
        ],
    )
    def test_a_value_fits_its_column_or_not(self, kind: ColumnType, good: list[object], bad: list[object]) -> None:
        schema = one_column(kind)
        assert [value for value in good if schema.problems({"a": value})] == []
        assert [value for value in bad if not schema.problems({"a": value})] == []

    def test_every_column_says_what_it_holds(self) -> None:
        assert all(column.description for column in COST_EVENTS.columns)
