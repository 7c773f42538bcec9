"""How often a public function may be called: by one client address, and for one tenant.

Every answer tells of it in the fields of draft-ietf-httpapi-ratelimit-headers-10, `RateLimit-Policy` and `RateLimit`
(https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10). From them anybody with a tenant's
public key could read how busy it is; so what is left for a tenant is told only when that is nothing.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, ClassVar, Final, Literal, NamedTuple

from events.errors import TransientError
from functions.client_address import client_network

if TYPE_CHECKING:
    import flask

    from cloud.windows import Quota, Taken, Windows

__all__ = ["Policy", "PublicFunction", "Quotas", "RateLimitedError", "RateLimits"]

_LOG: Final = logging.getLogger(__name__)
_READINGS: Final = "cutout.rate_limits"
"""Where a request's WSGI environment keeps what was counted for it."""

Policy = Literal["address", "tenant"]
PublicFunction = Literal["request_upload", "restyle", "job_status", "delete_job", "intents"]


class Quotas(NamedTuple):
    """Of one client address, and of one tenant; None is no limit."""

    address: Quota | None = None
    tenant: Quota | None = None


class RateLimitedError(TransientError):
    """Too many requests of late. The same one may be made again after `retry_after_seconds`."""

    code: ClassVar[str] = "rate_limited"

    def __init__(self, policy: Policy, quota: Quota, seconds: int) -> None:
        super().__init__(
            f"more than {quota.requests} requests in {quota.seconds} s from one {policy}; try again in {seconds} s",
            retry_after_seconds=seconds,
        )
        self.limit = {"policy": policy, "requests": quota.requests, "seconds": quota.seconds}


class _Reading(NamedTuple):
    policy: Policy
    taken: Taken

    @property
    def seconds(self) -> int:
        """Until there is room for one more request."""
        return max(1, math.ceil(self.taken.reset))

    @property
    def told(self) -> bool:
        return self.policy == "address" or not self.taken.allowed

    def __str__(self) -> str:
        return f'"{self.policy}";r={self.taken.remaining};t={self.seconds}'


class RateLimits:
    """Of one function. Where nobody knows how many requests there were, all are let through.

    Kept in memory, the limits are those of each instance. `proxies` is that of `client_network`.
    """

    def __init__(self, function: PublicFunction, quotas: Quotas, windows: Windows, *, proxies: int = 0) -> None:
        self._function = function
        self._quotas = quotas
        self._windows = windows
        self._proxies = proxies

    def count_address(self, request: flask.Request) -> None:
        """Before anything is done for a request. Raises `RateLimitedError`."""
        network = client_network(request.headers.get("X-Forwarded-For"), request.remote_addr, proxies=self._proxies)
        self._count(request, "address", network)

    def count_tenant(self, request: flask.Request, tenant: str) -> None:
        """Once it is sure that the request is in this tenant's name. Raises `RateLimitedError`."""
        self._count(request, "tenant", tenant)

    def headers(self, request: flask.Request) -> dict[str, str]:
        """For the answer to a request, whatever became of it."""
        policies = [
            f'"{policy}";q={quota.requests};w={quota.seconds}'
            for policy, quota in zip(Quotas._fields, self._quotas, strict=True)
            if quota is not None
        ]
        readings = [str(reading) for reading in _readings(request) if reading.told]
        fields = {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(readings)}
        return {name: value for name, value in fields.items() if value}

    def _count(self, request: flask.Request, policy: Policy, whose: str) -> None:
        quota: Quota | None = getattr(self._quotas, policy)
        if quota is None:
            return
        try:
            taken = self._windows.take(f"{self._function}/{policy}/{whose}", quota)
        except TransientError as error:
            _LOG.warning(
                "rate_limits_unavailable",
                extra={"function": self._function, "policy": policy, "error": error.message},
            )
            return
        reading = _Reading(policy, taken)
        _readings(request).append(reading)
        if not taken.allowed:
            _LOG.info("rate_limited", extra={"function": self._function, "policy": policy})
            raise RateLimitedError(policy, quota, reading.seconds)


def _readings(request: flask.Request) -> list[_Reading]:
    readings: list[_Reading] = request.environ.setdefault(_READINGS, [])
    return readings
