"""What a function's invocation used, as its share of the instance."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from jobs.busy import BusyClock
from jobs.outcome import Spent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobs.costs import Billing

__all__ = ["Meter"]


class Meter:
    """Measures invocations that may overlap on one instance."""

    def __init__(self, billing: Billing) -> None:
        self._billing = billing
        self._busy = BusyClock()

    @contextmanager
    def measure(self) -> Iterator[Callable[[], Spent]]:
        """Within it, the callable tells what the invocation has used so far."""
        with self._busy.share() as share:
            yield lambda: Spent(usage=self._billing.usage(share.seconds), billing=self._billing)
