"""Rows into a table that may refuse some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from events.errors import CutoutError, PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warehouse.ports import Row, RowTable

__all__ = ["Recorder", "RowRefusedError"]

_PAUSES: Final = (0.1, 0.5)
"""Seconds before each further try at what was refused for the moment. After them, the message comes again."""


class RowRefusedError(PermanentError, ValueError):
    """The table will never take this row."""

    code: ClassVar[str] = "row_refused"


class Recorder:
    def __init__(self, table: RowTable, *, sleep: Callable[[float], object], pauses: Sequence[float] = _PAUSES) -> None:
        self._table = table
        self._sleep = sleep
        self._pauses = pauses

    def record(self, rows: Sequence[Row]) -> list[CutoutError | None]:
        """What became of each row: None if it is stored, else why not. Only refused rows are sent again."""
        outcomes: list[CutoutError | None] = [None] * len(rows)
        pending = list(range(len(rows)))
        for pause in (0.0, *self._pauses):
            if pause:
                self._sleep(pause)
            pending = self._try(rows, pending, outcomes)
            if not pending:
                break
        return outcomes

    def _try(self, rows: Sequence[Row], pending: list[int], outcomes: list[CutoutError | None]) -> list[int]:
        """Send those that are pending, note what became of each, and return those worth another try."""
        try:
            refusals = self._table.insert([rows[index] for index in pending])
        except TransientError as error:  # of the whole request, which has been repeated already
            for index in pending:
                outcomes[index] = error
            return []
        for index in pending:
            outcomes[index] = None
        for refusal in refusals:
            kind = RowRefusedError if refusal.permanent else TransientError
            outcomes[pending[refusal.place]] = kind(f"the table refused the row: {refusal.reason}")
        return [pending[refusal.place] for refusal in refusals if not refusal.permanent]
