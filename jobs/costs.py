"""What the seconds of a process cost, and whose they are."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import msgspec

from events.messages import CostKind
from events.prices import PRICES, PriceTable, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Billing", "usage_from_metadata", "usage_to_metadata"]


class Billing(msgspec.Struct, frozen=True, kw_only=True):
    """The machine a process runs on, as it is billed."""

    kind: CostKind
    plan: Literal["instance", "function"]
    region: str
    vcpus: float
    gib: float
    gpus: int = 0
    prices: PriceTable = PRICES

    def usage(self, seconds: float) -> Usage:
        return Usage(
            gpu_seconds=round(self.gpus * seconds, 6),
            vcpu_seconds=round(self.vcpus * seconds, 6),
            gib_seconds=round(self.gib * seconds, 6),
        )

    def price(self, usage: Usage, *, requests: Decimal = Decimal(1)) -> Decimal:
        """USD. Only functions are billed by the request: several records of one invocation share its fee."""
        return (
            self.prices.instance(usage) if self.plan == "instance" else self.prices.function(usage, requests=requests)
        )


def usage_to_metadata(usage: Usage) -> dict[str, str]:
    """Object metadata that survives the process that wrote it."""
    return {name.replace("_", "-"): repr(value) for name, value in msgspec.structs.asdict(usage).items()}


def usage_from_metadata(metadata: Mapping[str, str]) -> Usage:
    """Missing entries count as zero: an old matte is still a matte."""
    return Usage(
        gpu_seconds=float(metadata.get("gpu-seconds", "0")),
        vcpu_seconds=float(metadata.get("vcpu-seconds", "0")),
        gib_seconds=float(metadata.get("gib-seconds", "0")),
    )
