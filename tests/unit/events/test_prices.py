"""The worked examples that the design rests on, from list prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.prices import PRICES, Usage

_CENT: Final = Decimal("0.01")
seconds: Final = st.floats(min_value=0, max_value=1e6, allow_nan=False)


def worker(instance_seconds: float) -> Usage:
    """The whole of an instance with one L4, 8 vCPU and 32 GiB."""
    return Usage(gpu_seconds=instance_seconds, vcpu_seconds=8 * instance_seconds, gib_seconds=32 * instance_seconds)


def usd(instance_seconds: float) -> Decimal:
    return PRICES.instance(worker(instance_seconds))


def test_an_hour_of_a_worker() -> None:
    assert usd(3600) == Decimal("1.420920000")


def test_a_single_wake_of_start_work_and_ten_idle_minutes() -> None:
    assert usd(20 + 3 + 600) == Decimal("0.245898100")


def test_a_3_second_image_on_a_busy_instance() -> None:
    assert usd(3) == Decimal("0.001184100")


def test_a_3_second_image_at_1_percent_use() -> None:
    assert usd(300) == Decimal("0.118410000")


def test_56_cold_starts_a_day_for_pings_that_keep_nothing_warm() -> None:
    assert (56 * usd(20 + 600)).quantize(_CENT) == Decimal("13.70")


def test_a_function_pays_for_its_request_too() -> None:
    usage = Usage(vcpu_seconds=0.1, gib_seconds=0.1)
    assert PRICES.function(usage) == Decimal("0.000003050")
    assert PRICES.function(usage, requests=Decimal(0)) == Decimal("0.000002650")


def test_prices_have_at_most_the_nine_decimals_that_numeric_keeps() -> None:
    third = worker(1) / 3
    assert PRICES.instance(third).as_tuple().exponent == -9
    assert PRICES.function(third).as_tuple().exponent == -9


def test_nothing_costs_nothing() -> None:
    assert PRICES.instance(Usage()) == 0


@given(seconds, seconds)
def test_usage_adds_up(one: float, other: float) -> None:
    both = worker(one) + worker(other)
    assert both.gpu_seconds == one + other
    assert both.vcpu_seconds == 8 * one + 8 * other
    assert both.gib_seconds == 32 * one + 32 * other


@given(seconds, st.integers(1, 8))
def test_the_parts_of_a_usage_cost_what_it_costs_to_a_nano_dollar_each(whole: float, parts: int) -> None:
    apart = sum((PRICES.instance(worker(whole) / parts) for _ in range(parts)), Decimal(0))
    assert apart == pytest.approx(PRICES.instance(worker(whole)), abs=Decimal(parts) * Decimal("0.000000001"))
