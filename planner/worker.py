"""The worker's instance as the clock and the bill see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from events.prices import PRICES, PriceTable, Usage

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["Worker"]

Positive = Annotated[float, msgspec.Meta(gt=0)]


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """One instance, billed for its whole life: from the start of its start to the end of its idle time."""

    vcpus: Positive = 8.0
    gib: Positive = 32.0
    gpus: Annotated[int, msgspec.Meta(ge=0)] = 1
    cold_start_seconds: Positive = 20.0
    idle_seconds: Positive = 600.0
    """Cloud Run keeps an idle instance at most this long after its last request, and bills it."""
    prices: PriceTable = PRICES

    @property
    def wake_seconds(self) -> float:
        """The billed life of an instance that nobody uses."""
        return self.cold_start_seconds + self.idle_seconds

    @property
    def usd_per_second(self) -> float:
        return float(self.price(1.0))

    def usage(self, seconds: float) -> Usage:
        return Usage(
            gpu_seconds=round(self.gpus * seconds, 6),
            vcpu_seconds=round(self.vcpus * seconds, 6),
            gib_seconds=round(self.gib * seconds, 6),
        )

    def price(self, seconds: float) -> Decimal:
        """USD, to nine decimals."""
        return self.prices.instance(self.usage(seconds))

    def nano_usd(self, seconds: float) -> int:
        """The price in 10^-9 USD."""
        return int(self.price(seconds).scaleb(9))
