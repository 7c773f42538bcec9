"""List prices in USD of what the bill has besides computing time, which is in `events.prices`.

Tier-1 region us-central1, November 2026, free tiers left out. Sources: https://cloud.google.com/PRODUCT/pricing, where
PRODUCT is storage, pubsub, load-balancing, armor, cdn, artifact-registry, scheduler, secret-manager, bigquery or
stackdriver.
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["LIST_PRICES", "ListPrices"]


class ListPrices(msgspec.Struct, frozen=True, kw_only=True):
    """By unit; a month is 730 hours where something is billed by the hour."""

    forwarding_rules_hour: float = 0.025  # of the first five together
    balanced_gib: float = 0.008  # through the load balancer, either way
    armor_policy_month: float = 5.0
    armor_rule_month: float = 1.0
    armor_million_requests: float = 0.75
    storage_gib_month: float = 0.020
    storage_class_a: float = 0.005 / 1000  # writes and lists, by call
    storage_class_b: float = 0.0004 / 1000  # reads
    egress_gib: tuple[tuple[float, float], ...] = ((1024.0, 0.12), (9216.0, 0.11), (float("inf"), 0.08))
    """To the internet, the Americas and Europe: GiB of a month, and the price of each of them."""
    cdn_gib: float = 0.08
    pubsub_gib: float = 40 / 1024  # published or delivered
    bigquery_inserted_gib: float = 0.05
    logged_gib: float = 0.50
    million_spans: float = 0.20
    images_gib_month: float = 0.10
    scheduled_job_month: float = 0.10
    secret_version_month: float = 0.06

    def egress(self, gib: float) -> float:
        """USD of so many GiB in a month, each step of the price at its own."""
        usd = 0.0
        for size, price in self.egress_gib:
            part = min(gib, size)
            usd += part * price
            gib -= part
        return usd


LIST_PRICES: Final = ListPrices()
