from __future__ import annotations

from typing import TYPE_CHECKING

from events.errors import TransientError
from warehouse.ports import Refusal, Row
from warehouse.recorder import Recorder, RowRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS = [Row(name, {"event_id": name}) for name in "abcd"]
PASSING = "backendError : try again"


class FakeTable:
    """Answers as told, one insert after the other; then it takes everything."""

    def __init__(self, *answers: list[Refusal] | TransientError) -> None:
        self._answers = list(answers)
        self.sent: list[str] = []

    def insert(self, rows: Sequence[Row]) -> list[Refusal]:
        self.sent.append("".join(row.id for row in rows))
        answer = self._answers.pop(0) if self._answers else []
        if isinstance(answer, TransientError):
            raise answer
        return answer


def passing(*places: int) -> list[Refusal]:
    return [Refusal(place, PASSING, permanent=False) for place in places]


def record(table: FakeTable) -> list[str | None]:
    outcomes = Recorder(table, sleep=lambda _: None, pauses=(1, 1)).record(ROWS)
    return [None if outcome is None else outcome.code for outcome in outcomes]


def test_rows_that_are_taken_have_no_problem() -> None:
    table = FakeTable()
    assert record(table) == [None] * 4
    assert table.sent == ["abcd"]


def test_only_what_was_refused_for_the_moment_is_tried_again() -> None:
    table = FakeTable([*passing(0), Refusal(1, "invalid", permanent=True), *passing(3)], passing(1))
    assert record(table) == [None, RowRefusedError.code, None, None]
    assert table.sent == ["abcd", "ad", "d"]


def test_what_is_refused_to_the_end_may_come_again() -> None:
    table = FakeTable(passing(2), passing(0), passing(0), passing(0))
    assert record(table) == [None, None, TransientError.code, None]
    assert table.sent == ["abcd", "c", "c"]


def test_a_table_that_is_away_keeps_what_it_has_taken_before() -> None:
    table = FakeTable(passing(1, 2), TransientError("gone"))
    assert record(table) == [None, TransientError.code, TransientError.code, None]
    assert table.sent == ["abcd", "bc"]


def test_pauses_grow_and_there_is_none_without_need() -> None:
    pauses: list[float] = []
    Recorder(FakeTable(passing(0), passing(0)), sleep=pauses.append, pauses=(0.1, 0.5, 9)).record(ROWS)
    assert pauses == [0.1, 0.5]
