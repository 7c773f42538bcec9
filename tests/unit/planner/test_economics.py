from __future__ import annotations

import math
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.economics import Appraisal, appraise_extension, appraise_wake
from planner.worker import Worker

WORKER = Worker()
PRICE = WORKER.usd_per_second
START, IDLE, LIFE = WORKER.cold_start_seconds, WORKER.idle_seconds, WORKER.wake_seconds

rates = st.floats(1e-6, 1.0)
values = st.floats(0.0, 1.0)


def poisson(rate: float, seconds: float) -> float:
    return math.exp(-rate * seconds)


def never(_seconds: float) -> float:
    return 1.0


def at(moment: float, seconds: float) -> float:
    """A job comes for certain, at that moment."""
    return 1.0 if seconds < moment else 0.0


def test_a_second_of_the_default_worker_costs_what_the_bill_says() -> None:
    assert pytest.approx(1.421, abs=0.0005) == 3600 * PRICE


def test_a_wake_that_nobody_uses_costs_its_whole_life_and_saves_nothing() -> None:
    told = appraise_wake(never, WORKER, usd_per_second_waited=0.01)
    assert told.cost_usd == pytest.approx(LIFE * PRICE)
    assert (told.probability, told.seconds_saved, told.value_usd) == (0, 0, 0)
    assert not told.pays


@pytest.mark.parametrize("rate", [1e-5, 1 / 3600, 1 / 600, 1 / 60, 0.5])
def test_a_wake_before_poisson_arrivals_agrees_with_the_closed_form(rate: float) -> None:
    told = appraise_wake(partial(poisson, rate), WORKER, usd_per_second_waited=0.02)
    nobody = math.exp(-rate * LIFE)
    saved = (1 - math.exp(-rate * START)) / rate - START * nobody
    billed = math.exp(-rate * START) * (1 - math.exp(-rate * IDLE)) / rate + START * nobody
    assert told.probability == pytest.approx(1 - nobody)
    assert told.seconds_saved == pytest.approx(saved, abs=0.3)
    assert told.value_usd == pytest.approx(0.02 * saved, abs=0.006)
    assert told.cost_usd == pytest.approx(PRICE * billed, abs=0.001)


@pytest.mark.parametrize("rate", [1e-5, 1 / 3600, 1 / 600, 1 / 60])
@pytest.mark.parametrize("remaining", [0.0, 60.0, 300.0])
def test_an_extension_before_poisson_arrivals_agrees_with_the_closed_form(rate: float, remaining: float) -> None:
    told = appraise_extension(partial(poisson, rate), WORKER, remaining=remaining, usd_per_second_waited=0.02)
    late = math.exp(-rate * remaining) - math.exp(-rate * IDLE)
    assert told.probability == pytest.approx(late)
    assert told.seconds_saved == pytest.approx(START * late)
    assert told.cost_usd == pytest.approx(PRICE * (late / rate - START * late), abs=0.001)


def test_a_wake_right_before_a_job_costs_nothing_since_the_job_would_have_paid_for_the_start() -> None:
    told = appraise_wake(partial(at, START / 2), WORKER, usd_per_second_waited=0.01)
    assert told.seconds_saved == pytest.approx(START / 2, rel=0.15)
    assert told.cost_usd == pytest.approx(0)
    assert told.pays


def test_a_job_that_comes_later_than_the_start_makes_a_wake_cost_the_time_in_between() -> None:
    told = appraise_wake(partial(at, START + 300), WORKER, usd_per_second_waited=0.01)
    assert told.seconds_saved == pytest.approx(START)
    assert told.cost_usd == pytest.approx(300 * PRICE, rel=0.1)


def test_an_extension_right_before_a_job_saves_the_bill_of_a_start() -> None:
    told = appraise_extension(partial(at, 65.0), WORKER, remaining=60, usd_per_second_waited=0.0)
    assert told.cost_usd < 0
    assert told.pays


def test_a_job_before_the_end_makes_an_extension_neither_cost_nor_save() -> None:
    told = appraise_extension(partial(at, 10.0), WORKER, remaining=60, usd_per_second_waited=0.01)
    assert (told.value_usd, told.cost_usd, told.pays) == (0, 0, False)


def test_extending_costs_no_more_than_the_wake_it_avoids() -> None:
    for rate in (1 / 7200, 1 / 1200, 1 / 300):
        survival = partial(poisson, rate)
        extension = appraise_extension(survival, WORKER, remaining=0, usd_per_second_waited=0.01)
        wake = appraise_wake(survival, WORKER, usd_per_second_waited=0.01)
        assert extension.cost_usd < wake.cost_usd


@given(rates, values)
def test_a_wake_costs_at_most_its_whole_life_and_saves_at_most_a_start(rate: float, value: float) -> None:
    told = appraise_wake(partial(poisson, rate), WORKER, usd_per_second_waited=value)
    assert -1e-9 <= told.cost_usd <= LIFE * PRICE + 1e-9
    assert -1e-9 <= told.seconds_saved <= START + 1e-9


@given(rates, st.floats(0, IDLE), values)
def test_an_extension_costs_at_most_what_it_adds(rate: float, remaining: float, value: float) -> None:
    told = appraise_extension(partial(poisson, rate), WORKER, remaining=remaining, usd_per_second_waited=value)
    assert told.cost_usd <= (IDLE - remaining) * PRICE + 1e-9
    assert told.cost_usd >= -START * PRICE - 1e-9


@given(rates, rates)
def test_a_busier_shop_never_makes_a_wake_worth_less(one: float, other: float) -> None:
    def net(told: Appraisal) -> float:
        return told.value_usd - told.cost_usd

    quiet, busy = sorted((one, other))
    first = appraise_wake(partial(poisson, quiet), WORKER, usd_per_second_waited=0.02)
    second = appraise_wake(partial(poisson, busy), WORKER, usd_per_second_waited=0.02)
    if busy < 1 / START:  # beyond that, most jobs come during the start, and wait for it
        assert net(second) >= net(first) - 1e-3
