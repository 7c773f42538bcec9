"""Shapes that keep their edge sharp however much they are enlarged."""

from __future__ import annotations

import numpy as np
import pytest

from imaging.contours import drawn, kept


def disc(side: int, radius: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Distances to the edge of a disc in the middle, positive inside."""
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    return np.asarray(radius - np.hypot(x, y), np.float64)


@pytest.mark.parametrize("scale", [1, 2, 5, 12])
def test_an_enlarged_shape_is_the_shape_drawn_at_that_size(scale: int) -> None:
    small = kept(disc(100, 30))
    large = drawn(small, (100 * scale, 100 * scale)).astype(float) / 255
    truth = np.clip(disc(100 * scale, 30 * scale) + 0.5, 0, 1)
    assert np.abs(large - truth).mean() < 0.004
    soft = ((large > 0.02) & (large < 0.98)).sum()
    assert soft < 2.2 * 2 * np.pi * 30 * scale


def test_inside_is_covered_and_outside_is_not() -> None:
    coverage = drawn(kept(np.array([[-9.0, -1.0, 1.0, 9.0]])), (4, 1))
    assert coverage.tolist() == [[0, 0, 255, 255]]


@pytest.mark.parametrize("side", [1, 2, 3, 40])
def test_shapes_drawn_at_once_are_those_drawn_one_by_one(side: int) -> None:
    shapes = [kept(disc(side, radius * side)) for radius in (0.1, 0.2, 0.3, 0.4)]
    size = (3 * side, 3 * side)
    together = drawn(np.dstack(shapes), size)
    assert np.array_equal(together, np.dstack([drawn(shape, size) for shape in shapes]))
