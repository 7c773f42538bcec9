"""What a tenant spent today, from the ledger of settled jobs."""

from __future__ import annotations

import threading
from datetime import UTC, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from events.names import spend_prefix

if TYPE_CHECKING:
    from datetime import date, datetime

    from jobs.ports import Clock, ObjectStore

__all__ = ["DailySpend"]

_FRESH: Final = timedelta(seconds=30)


class DailySpend:
    """Sums the day's ledger (UTC), at most once every 30 s a tenant and process: a listing costs money too.

    A cap is therefore late by up to 30 s and by the jobs in flight: it bounds a runaway bill, to within minutes.
    """

    def __init__(self, store: ObjectStore, bucket: str, clock: Clock) -> None:
        self._store = store
        self._bucket = bucket
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[datetime, date, Decimal]] = {}

    def usd(self, tenant: str) -> Decimal:
        now = self._clock().astimezone(UTC)
        with self._lock:
            known = self._known.get(tenant)
        if known is not None and known[1] == now.date() and now - known[0] < _FRESH:
            return known[2]
        total = self._sum(tenant, now.date())
        with self._lock:
            self._known[tenant] = (now, now.date(), total)
        return total

    def _sum(self, tenant: str, day: date) -> Decimal:
        stats = self._store.list(self._bucket, spend_prefix(tenant, day))
        return Decimal(sum(int(stat.name.rpartition("~")[2]) for stat in stats)).scaleb(-9)
