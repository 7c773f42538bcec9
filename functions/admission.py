"""Who may start a job, and when a tenant has spent enough for today."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from events.errors import DailyCapError

if TYPE_CHECKING:
    from decimal import Decimal

    import flask

    from functions.rate_limits import RateLimits
    from functions.tenants import Tenant, Tenants
    from jobs.ports import Clock
    from jobs.spend import DailySpend

__all__ = ["Admission", "check_cap"]


def check_cap(tenant: Tenant, spent_usd: Decimal, now: datetime) -> None:
    """Raises `DailyCapError` once the day's (UTC) spend has reached the tenant's cap."""
    if spent_usd < tenant.daily_cap_usd:
        return
    midnight = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), tzinfo=UTC)
    raise DailyCapError(
        f"the daily cap of {tenant.daily_cap_usd} USD is reached; it starts anew at 00:00 UTC",
        retry_after_seconds=int((midnight - now).total_seconds()) + 1,
    )


class Admission:
    """The checks before any job: the storefront's key, the page's origin, the tenant's rate limit, the day's cap."""

    def __init__(self, tenants: Tenants, spend: DailySpend, clock: Clock, limits: RateLimits) -> None:
        self._tenants = tenants
        self._spend = spend
        self._clock = clock
        self._limits = limits

    def admit(self, request: flask.Request) -> Tenant:
        return self.admit_key(request, request.headers.get("X-Api-Key"))

    def admit_key(self, request: flask.Request, key: str | None) -> Tenant:
        """Of a request whose key may come some other way than in its header."""
        tenant = self._tenants.by_key(key)
        tenant.check_origin(request.headers.get("Origin"))
        self._limits.count_tenant(request, tenant.name)
        check_cap(tenant, self._spend.usd(tenant.name), self._clock())
        return tenant
