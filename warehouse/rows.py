"""From a cost event to its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from events.errors import InvalidMessageError
from warehouse.ports import Row
from warehouse.schema import COST_EVENTS

if TYPE_CHECKING:
    from events.envelope import Event
    from events.messages import CostRecorded

__all__ = ["cost_row"]


def cost_row(event: Event[CostRecorded]) -> Row:
    """The event's data as the table's columns, under the event's id.

    Raises `InvalidMessageError` naming every field that the table would refuse.
    """
    values: dict[str, object] = {
        "event_id": event.id,
        **msgspec.to_builtins(event.data),
        "usd": f"{event.data.usd:f}",
    }
    problems = COST_EVENTS.problems(values)
    if problems:
        raise InvalidMessageError({f"$.{name}": problem for name, problem in problems.items()})
    return Row(event.id, {name: value for name, value in values.items() if value is not None})
