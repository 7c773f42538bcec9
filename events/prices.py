"""List prices of Google Cloud in USD, as one versioned table: every cost record names the version it used.

Sources, tier-1 regions, November 2026: https://cloud.google.com/run/pricing (instance-based billing for the worker,
request-based billing for functions, L4 without zonal redundancy).
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

__all__ = ["PRICES", "PriceTable", "Usage"]

_NUMERIC: Final = Decimal("0.000000001")
"""BigQuery's NUMERIC keeps nine decimals."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a job, or a part of one, occupied. Seconds; a share of an instance that several jobs used at once."""

    gpu_seconds: float = 0.0
    vcpu_seconds: float = 0.0
    gib_seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            gpu_seconds=self.gpu_seconds + other.gpu_seconds,
            vcpu_seconds=self.vcpu_seconds + other.vcpu_seconds,
            gib_seconds=self.gib_seconds + other.gib_seconds,
        )

    def __truediv__(self, parts: int) -> Usage:
        return Usage(
            gpu_seconds=self.gpu_seconds / parts,
            vcpu_seconds=self.vcpu_seconds / parts,
            gib_seconds=self.gib_seconds / parts,
        )


class PriceTable(msgspec.Struct, frozen=True, kw_only=True):
    """USD per second, and per request for functions."""

    version: str
    gpu_second: Decimal
    vcpu_second: Decimal
    gib_second: Decimal
    function_vcpu_second: Decimal
    function_gib_second: Decimal
    function_request: Decimal

    def instance(self, usage: Usage) -> Decimal:
        """USD of a share of an instance that is billed for its whole life, such as the worker's."""
        return (
            _exact(usage.gpu_seconds) * self.gpu_second
            + _exact(usage.vcpu_seconds) * self.vcpu_second
            + _exact(usage.gib_seconds) * self.gib_second
        ).quantize(_NUMERIC, ROUND_HALF_EVEN)

    def function(self, usage: Usage, *, requests: Decimal = Decimal(1)) -> Decimal:
        """USD of function invocations, or of a share of one."""
        return (
            _exact(usage.vcpu_seconds) * self.function_vcpu_second
            + _exact(usage.gib_seconds) * self.function_gib_second
            + requests * self.function_request
        ).quantize(_NUMERIC, ROUND_HALF_EVEN)


def _exact(seconds: float) -> Decimal:
    return Decimal(repr(seconds))


PRICES: Final = PriceTable(
    version="2026-11",
    gpu_second=Decimal("0.0001867"),
    vcpu_second=Decimal("0.000018"),
    gib_second=Decimal("0.000002"),
    function_vcpu_second=Decimal("0.000024"),
    function_gib_second=Decimal("0.0000025"),
    function_request=Decimal("0.0000004"),
)
