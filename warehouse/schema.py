"""The columns of the cost table, and whether a row fits them.

BigQuery itself refuses a wrong row only after a round trip, and with it the neighbours that were sent along.
Types: https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types.
"""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["COST_EVENTS", "Column", "ColumnType", "TableSchema"]

ColumnType = Literal["STRING", "TIMESTAMP", "INTEGER", "FLOAT", "BOOLEAN", "NUMERIC"]


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column as BigQuery's JSON schemas describe it."""

    name: str
    type: ColumnType
    mode: Literal["REQUIRED", "NULLABLE"]
    description: str


class TableSchema(msgspec.Struct, frozen=True, kw_only=True):
    columns: tuple[Column, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        return cls(columns=msgspec.json.decode(path.read_bytes(), type=tuple[Column, ...]))

    def problems(self, row: Mapping[str, object]) -> dict[str, str]:
        """What is wrong with each field of a row of JSON values; empty if BigQuery would take it."""
        columns = {column.name: column for column in self.columns}
        found = {name: "not a column of the table" for name in row if name not in columns}
        for name, column in columns.items():
            problem = _problem(column, row.get(name))
            if problem is not None:
                found[name] = problem
        return found


def _problem(column: Column, value: object) -> str | None:
    if value is None:
        return "required, but missing" if column.mode == "REQUIRED" else None
    if _FITS[column.type](value):
        return None
    return f"expected {column.type}, got {str(value)[:80]!r}"


def _is_string(value: object) -> bool:
    return isinstance(value, str)


def _is_timestamp(value: object) -> bool:
    """RFC 3339 text with a time zone."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _is_float(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


def _is_numeric(value: object) -> bool:
    """Decimal text with at most 29 digits before the point and 9 behind it: more would be rounded or refused."""
    try:
        number = Decimal(value) if isinstance(value, str) else Decimal("NaN")
    except InvalidOperation:
        return False
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -9 and number.adjusted() < 29


_FITS: Final[Mapping[ColumnType, Callable[[object], bool]]] = {
    "STRING": _is_string,
    "TIMESTAMP": _is_timestamp,
    "INTEGER": _is_integer,
    "FLOAT": _is_float,
    "BOOLEAN": _is_boolean,
    "NUMERIC": _is_numeric,
}

COST_EVENTS: Final = TableSchema.read(Path(__file__).with_name("cost_events.schema.json"))
