from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

import warehouse
from warehouse.schema import COST_EVENTS
from warehouse.sql import VIEWS, query, view

FOLDER: Final = Path(warehouse.__file__).parent
RESERVED: Final = """
    ALL AND ANY ARRAY AS ASC ASSERT_ROWS_MODIFIED AT BETWEEN BY CASE CAST COLLATE CONTAINS CREATE CROSS CUBE CURRENT
    DEFAULT DEFINE DESC DISTINCT ELSE END ENUM ESCAPE EXCEPT EXCLUDE EXISTS EXTRACT FALSE FETCH FOLLOWING FOR FROM FULL
    GROUP GROUPING GROUPS HASH HAVING IF IGNORE IN INNER INTERSECT INTERVAL INTO IS JOIN LATERAL LEFT LIKE LIMIT LOOKUP
    MERGE NATURAL NEW NO NOT NULL NULLS OF ON OR ORDER OUTER OVER PARTITION PRECEDING PROTO QUALIFY RANGE RECURSIVE
    RESPECT RIGHT ROLLUP ROWS SELECT SET SOME STRUCT TABLESAMPLE THEN TO TREAT TRUE UNBOUNDED UNION UNNEST USING WHEN
    WHERE WINDOW WITH WITHIN
"""
"""https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#reserved_keywords: the emulator takes some."""

QUERIES: Final = tuple(sorted(path.stem for path in (FOLDER / "queries").glob("*.sql")))
every_text = pytest.mark.parametrize(
    "text", [*(view(name, "p.d") for name in VIEWS), *(query(name, "p.d", view="costs") for name in QUERIES)]
)


def test_every_file_of_a_view_is_made_and_after_those_it_reads() -> None:
    assert set(VIEWS) == {path.stem for path in (FOLDER / "views").glob("*.sql")}
    for place, name in enumerate(VIEWS):
        read = set(re.findall(r"`p\.d\.(\w+)`", view(name, "p.d")))
        assert read <= {"cost_events", *VIEWS[:place]}
        assert read


@every_text
def test_tables_are_named_with_their_dataset(text: str) -> None:
    sources = set(re.findall(r"\b(?:FROM|JOIN) (\S+)", text))
    own = set(re.findall(r"^  (\w+) AS \($", text, re.MULTILINE))
    assert {source for source in sources - own if not re.fullmatch(r"`p\.d\.\w+`", source)} == set()
    assert sources - own
    assert "${" not in text


@every_text
def test_no_name_is_a_reserved_word(text: str) -> None:
    assert {name.upper() for name in re.findall(r"\bAS (\w+)", text)} & set(RESERVED.split()) == set()


def test_the_view_of_all_costs_has_the_tables_columns_in_their_order() -> None:
    final = view("costs", "d").rpartition("\nSELECT\n")[2]
    assert re.findall(r"^  counted\.(\w+),?$", final, re.MULTILINE) == [column.name for column in COST_EVENTS.columns]
