"""Bounds of shares, against published numbers and their own meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.intervals import least_difference, share

CHANCE = 2.33
counts = st.integers(1, 500).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


@pytest.mark.parametrize(
    ("hits", "trials", "bounds"),
    # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_a_share_has_the_bounds_that_were_published(hits: int, trials: int, bounds: tuple[float, float]) -> None:
    assert share(hits, trials, 1.959964) == pytest.approx(bounds, abs=5e-5)


def test_a_difference_has_the_bound_that_was_published() -> None:
    """Newcombe (1998), "Interval estimation for the difference", table II, method 10: 56/70 - 48/80."""
    assert least_difference(56, 70, 48, 80, 1.959964) == pytest.approx(0.0524, abs=5e-5)


def test_nothing_is_known_of_what_was_not_tried() -> None:
    assert share(0, 0, CHANCE) == (0.0, 1.0)
    assert least_difference(5, 5, 0, 0, CHANCE) == -1.0


@given(counts)
def test_the_observed_share_lies_within_its_bounds(count: tuple[int, int]) -> None:
    low, high = share(*count, CHANCE)
    assert 0.0 <= low <= count[0] / count[1] + 1e-12
    assert count[0] / count[1] - 1e-12 <= high <= 1.0


@given(counts, counts)
def test_a_difference_is_at_least_what_is_sure_of_it(first: tuple[int, int], other: tuple[int, int]) -> None:
    least = least_difference(*first, *other, CHANCE)
    assert least <= first[0] / first[1] - other[0] / other[1] + 1e-12
    if first[0] * other[1] <= other[0] * first[1]:
        assert least <= 0.0 + 1e-12
