"""Histograms of latencies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.sample import EMPTY, Histogram
from tests.unit.rollout.samples import sample

TEN = Histogram((1.0, 2.0, 4.0), (2, 4, 4, 0))


@pytest.mark.parametrize(
    ("share", "seconds"), [(0.1, 0.5), (0.2, 1.0), (0.5, 1.75), (0.6, 2.0), (0.95, 3.75), (1, 4.0)]
)
def test_a_quantile_lies_within_its_bucket(share: float, seconds: float) -> None:
    assert TEN.quantile(share) == pytest.approx(seconds)


@pytest.mark.parametrize(("seconds", "count"), [(0.0, 10), (1.0, 8), (1.5, 6), (3.0, 2), (4.0, 0), (9.0, 0)])
def test_a_bucket_is_divided_evenly(seconds: float, count: float) -> None:
    assert TEN.above(seconds) == pytest.approx(count)


def test_nothing_has_no_latency() -> None:
    assert EMPTY.seconds.quantile(0.5) == 0.0
    assert EMPTY.seconds.above(1.0) == 0.0
    assert str(EMPTY) == "no requests"


def test_what_is_beyond_all_bounds_counts_as_long() -> None:
    endless = Histogram((1.0, 2.0), (0, 0, 5))
    assert endless.above(2.0) == 5
    assert 2.0 < endless.quantile(0.5) <= 4.0


@given(st.lists(st.integers(0, 50), min_size=4, max_size=4).filter(any), st.floats(0.01, 1.0))
def test_no_more_than_the_rest_exceeds_a_quantile(counts: list[int], share: float) -> None:
    histogram = Histogram((1.0, 2.0, 4.0), tuple(counts))
    assert histogram.above(histogram.quantile(share)) <= (1 - share) * histogram.total + 1e-6


def test_numbers_are_told_as_people_read_them() -> None:
    assert str(sample(40, 3, seconds=1.5)) == "3 of 40 failed, p50 1.4 s, p95 1.5 s"
