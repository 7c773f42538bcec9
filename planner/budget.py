"""What warming may spend in a day (UTC)."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import Annotated, Literal

import msgspec

__all__ = ["Budget", "Cause", "Spent"]

Cause = Literal["schedule", "forecast", "intents"]
"""Why a warm-up was asked for: intents are what it would not have been worth without."""


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """10^-9 USD since midnight, and the part of it that intents caused."""

    nano_usd: int = 0
    intents_nano_usd: int = 0

    def plus(self, cause: Cause, nano_usd: int) -> Spent:
        return Spent(
            nano_usd=self.nano_usd + nano_usd,
            intents_nano_usd=self.intents_nano_usd + (nano_usd if cause == "intents" else 0),
        )


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """`intents_share` bounds what anybody who can reach a public address may make the service spend."""

    daily_usd: Annotated[Decimal, msgspec.Meta(description="USD a day, UTC")] = Decimal(5)
    intents_share: Decimal = Decimal("0.3")

    def left(self, spent: Spent, cause: Cause) -> int:
        """10^-9 USD that this cause may still spend today."""
        whole = int(self.daily_usd.scaleb(9).to_integral_value(ROUND_FLOOR))
        left = whole - spent.nano_usd
        if cause == "intents":
            share = int((self.daily_usd * self.intents_share).scaleb(9).to_integral_value(ROUND_FLOOR))
            left = min(left, share - spent.intents_nano_usd)
        return left
