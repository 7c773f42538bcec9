"""The subject as a layer: bounds, scaling, and colours for where it has none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from imaging.layer import Box, Layer, bounds, continued, filled, fitted, rounded, scaled, visible
from tests.unit.imaging.scenes import composite


def boxed(height: int = 60, width: int = 80) -> Layer:
    """A square with two halves of different colours."""
    rgb, alpha = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
    alpha[20:40, 30:60] = 255
    rgb[20:40, 30:45] = (200, 30, 10)
    rgb[20:40, 45:60] = (10, 60, 220)
    return Layer(rgb, alpha)


def test_bounds_leave_faint_haze_out_unless_asked() -> None:
    layer = boxed()
    layer.alpha[5, 7] = 15
    assert bounds(layer.alpha) == Box(30, 20, 60, 40)
    assert bounds(layer.alpha, 1) == Box(7, 5, 60, 40)
    assert bounds(np.zeros((4, 4), np.uint8)) is None


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.floats(1, 20_000))
def test_a_fitted_size_has_at_most_the_side_and_the_proportions(width: int, height: int, side: float) -> None:
    wide, high = fitted(width, height, side)
    assert 1 <= wide <= width
    assert 1 <= high <= height
    assert max(wide, high) <= max(1, round(side))
    assert abs(wide * height - high * width) <= max(width, height)


@given(arrays.arrays(np.float32, 5, elements=st.floats(-1000, 1000, width=32)))
def test_rounded_values_are_the_nearest_levels(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    levels = rounded(values)
    assert levels.dtype == np.uint8
    assert (np.abs(levels - np.clip(values, 0, 255)) <= 0.5).all()


def test_scaling_mixes_only_what_is_visible() -> None:
    small = scaled(boxed(), (27, 20))
    assert (small.rgb[small.alpha == 0] == 0).all()
    left = small.rgb[8:12, 10:14][small.alpha[8:12, 10:14] > 0]
    assert np.abs(left.astype(int) - (200, 30, 10)).max() <= 1


def test_the_same_size_is_the_same_layer() -> None:
    layer = boxed()
    assert scaled(layer, (80, 60)) is layer


def test_colours_go_on_beyond_the_subject() -> None:
    layer = boxed()
    colors = continued(layer)
    inside = layer.alpha == 255
    assert np.array_equal(colors[inside], layer.rgb[inside])
    assert np.abs(colors[30, 26].astype(int) - (200, 30, 10)).max() < 12
    assert np.abs(colors[30, 64].astype(int) - (10, 60, 220)).max() < 12
    assert colors.min() > 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (301, 2), (33, 517)])
def test_one_colour_goes_on_as_itself_in_any_shape(shape: tuple[int, int]) -> None:
    alpha = np.zeros(shape, np.uint8)
    alpha[shape[0] // 2, shape[1] // 2] = 255
    rgb = np.full((*shape, 3), (90, 120, 200), np.uint8)
    assert np.abs(continued(visible(rgb, alpha)).astype(int) - (90, 120, 200)).max() <= 1


def test_nothing_goes_on_as_black() -> None:
    empty = Layer(np.zeros((9, 14, 3), np.uint8), np.zeros((9, 14), np.uint8))
    assert not continued(empty).any()


def test_a_filled_plane_keeps_what_is_known() -> None:
    scene = composite(60, 90)
    known = (scene.alpha == 0).astype(np.float32)
    values = filled(scene.rgb.astype(np.float32) * known[..., None], known)
    assert np.abs(values - scene.rgb)[known == 1].max() < 0.5
    assert values.min() > scene.rgb[known == 1].min() - 1.0
    assert values.max() < scene.rgb[known == 1].max() + 1.0
