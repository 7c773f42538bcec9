"""The subject's colours at its edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from pymatting import estimate_foreground_ml

from imaging.foreground import estimate_foreground
from tests.unit.imaging.scenes import composite, sample

if TYPE_CHECKING:
    from imaging.photo import Gray, Rgb

MAX_ERROR = 1.3  # of 255


def reference(rgb: Rgb, alpha: Gray) -> Rgb:
    foreground = estimate_foreground_ml(rgb / 255, alpha / 255)
    return np.asarray(np.rint(np.clip(foreground, 0, 1) * 255), np.uint8)


def edge_error(foreground: Rgb, expected: Rgb, alpha: Gray) -> float:
    """Mean absolute difference over the soft edge of the colours times alpha, of 255: what is seen on black."""
    edge = (alpha > 0) & (alpha < 255)
    difference = np.abs(foreground[edge].astype(float) - expected[edge])
    return float((difference * (alpha[edge] / 255)[:, None]).mean())


def enlarged(rgb: Rgb, alpha: Gray, scale: int) -> tuple[Rgb, Gray]:
    """The photo in more pixels, with grain, as a phone would take it."""
    size = rgb.shape[1] * scale, rgb.shape[0] * scale
    grain = np.random.default_rng(4).normal(0, 5, (size[1], size[0], 3))
    large = cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC) + grain
    return np.clip(large, 0, 255).astype(np.uint8), np.asarray(cv2.resize(alpha, size), np.uint8)


@pytest.mark.parametrize("size", [(300, 400), (600, 800), (1200, 1600)])
def test_composites_come_apart_as_by_the_reference_and_nearer_to_the_truth(size: tuple[int, int]) -> None:
    scene = composite(*size)
    foreground = estimate_foreground(scene.rgb, scene.alpha)
    expected = reference(scene.rgb, scene.alpha)
    assert edge_error(foreground, expected, scene.alpha) <= MAX_ERROR
    error = edge_error(foreground, scene.truth, scene.alpha)
    assert error < edge_error(expected, scene.truth, scene.alpha) + 0.3
    assert error < 0.5 * edge_error(scene.rgb, scene.truth, scene.alpha)


@pytest.mark.parametrize("name", ["astronaut.jpg", "cat.jpg", "motorcycle.jpg", "flower.jpg"])
@pytest.mark.parametrize("scale", [1, 3])
def test_sample_photos_come_apart_as_by_the_reference(name: str, scale: int) -> None:
    photo, matte = sample(name)
    rgb, alpha = enlarged(photo.rgb, matte, scale) if scale > 1 else (photo.rgb, matte)
    expected = reference(rgb, alpha)
    error = edge_error(estimate_foreground(rgb, alpha), expected, alpha)
    assert error <= MAX_ERROR
    assert error < 0.5 * edge_error(rgb, expected, alpha)


def test_opaque_pixels_stay_and_transparent_ones_are_black() -> None:
    for size in ((300, 400), (1200, 1600)):
        scene = composite(*size)
        foreground = estimate_foreground(scene.rgb, scene.alpha)
        assert np.array_equal(foreground[scene.alpha == 255], scene.rgb[scene.alpha == 255])
        assert not foreground[scene.alpha == 0].any()


def test_a_small_subject_in_a_large_photo_is_worked_on_where_it_is() -> None:
    scene = composite(300, 400)
    rgb = np.full((1500, 2000, 3), 90, np.uint8)
    alpha = np.zeros((1500, 2000), np.uint8)
    rgb[900:1200, 1400:1800], alpha[900:1200, 1400:1800] = scene.rgb, scene.alpha
    foreground = estimate_foreground(rgb, alpha)[900:1200, 1400:1800]
    assert edge_error(foreground, scene.truth, scene.alpha) < 0.5 * edge_error(scene.rgb, scene.truth, scene.alpha)


def test_the_photo_and_the_matte_are_left_as_they_were() -> None:
    scene = composite(300, 400)
    rgb, alpha = scene.rgb.copy(), scene.alpha.copy()
    rgb.setflags(write=False)
    alpha.setflags(write=False)
    estimate_foreground(rgb, alpha)
    assert np.array_equal(rgb, scene.rgb)
    assert np.array_equal(alpha, scene.alpha)


def test_a_matte_without_soft_edge_needs_no_estimate() -> None:
    rgb = composite(60, 80).rgb
    alpha = np.zeros((60, 80), np.uint8)
    assert not estimate_foreground(rgb, alpha).any()
    alpha[20:40, 20:40] = 255
    assert np.array_equal(estimate_foreground(rgb, alpha), rgb * (alpha > 0)[..., None])


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 40), st.integers(1, 40))
def test_any_size_and_any_matte_are_taken(data: st.DataObject, height: int, width: int) -> None:
    rgb = data.draw(st_numpy.arrays(np.uint8, (height, width, 3)))
    alpha = data.draw(st_numpy.arrays(np.uint8, (height, width)))
    foreground = estimate_foreground(rgb, alpha)
    assert foreground.shape == rgb.shape
    assert foreground.dtype == np.uint8
    assert np.array_equal(foreground[alpha == 255], rgb[alpha == 255])
    assert not foreground[alpha == 0].any()


@pytest.mark.parametrize("size", [(1, 16_384), (16_384, 1), (62, 16_384), (16_384, 62)])
def test_extreme_shapes_are_taken(size: tuple[int, int]) -> None:
    rgb = np.full((*size, 3), 100, np.uint8)
    alpha = np.resize(np.array([0, 60, 120, 255], np.uint8), size)
    foreground = estimate_foreground(rgb, alpha)
    assert (foreground[alpha > 0] == 100).all()
