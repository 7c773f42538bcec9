"""What every estimator of the subject's colours has to do, whatever computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import pytest
from pymatting import estimate_foreground_ml

from tests.unit.imaging.scenes import composite, sample

if TYPE_CHECKING:
    from imaging.photo import Gray, Rgb
    from imaging.render import ForegroundEstimator

__all__ = ["ForegroundContract", "check_any"]

_EXTREME_SIZES: Final = ((1, 16_384), (16_384, 1), (62, 16_384), (16_384, 62))
_MAX_ERROR: Final = 1.3  # of 255


def _reference(rgb: Rgb, alpha: Gray) -> Rgb:
    foreground = estimate_foreground_ml(rgb / 255, alpha / 255)
    return np.asarray(np.rint(np.clip(foreground, 0, 1) * 255), np.uint8)


def _edge_error(foreground: Rgb, expected: Rgb, alpha: Gray) -> float:
    """Mean absolute difference over the soft edge of the colours times alpha, of 255: what is seen on black."""
    edge = (alpha > 0) & (alpha < 255)
    difference = np.abs(foreground[edge].astype(float) - expected[edge])
    return float((difference * (alpha[edge] / 255)[:, None]).mean())


def _enlarged(rgb: Rgb, alpha: Gray, scale: int) -> tuple[Rgb, Gray]:
    """The photo in more pixels, with grain, as a phone would take it."""
    size = rgb.shape[1] * scale, rgb.shape[0] * scale
    grain = np.random.default_rng(4).normal(0, 5, (size[1], size[0], 3))
    large = cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC) + grain
    return np.clip(large, 0, 255).astype(np.uint8), np.asarray(cv2.resize(alpha, size), np.uint8)


def check_any(estimate: ForegroundEstimator, rgb: Rgb, alpha: Gray) -> None:
    """What holds for any pixels and any matte of one size."""
    foreground = estimate(rgb, alpha)
    assert foreground.shape == rgb.shape
    assert foreground.dtype == np.uint8
    assert np.array_equal(foreground[alpha == 255], rgb[alpha == 255])
    assert not foreground[alpha == 0].any()


class ForegroundContract:
    """Inherited by a test class for each estimator.

    Property tests stay outside, with `check_any`: Hypothesis takes one test in two classes for a mistake.
    """

    def estimate(self, rgb: Rgb, alpha: Gray) -> Rgb:
        raise NotImplementedError

    @pytest.mark.parametrize("size", [(300, 400), (600, 800), (1200, 1600)])
    def test_composites_come_apart_as_by_the_reference_and_nearer_to_the_truth(self, size: tuple[int, int]) -> None:
        scene = composite(*size)
        foreground = self.estimate(scene.rgb, scene.alpha)
        expected = _reference(scene.rgb, scene.alpha)
        assert _edge_error(foreground, expected, scene.alpha) <= _MAX_ERROR
        error = _edge_error(foreground, scene.truth, scene.alpha)
        assert error < _edge_error(expected, scene.truth, scene.alpha) + 0.3
        assert error < 0.5 * _edge_error(scene.rgb, scene.truth, scene.alpha)

    @pytest.mark.parametrize("name", ["astronaut.jpg", "cat.jpg", "motorcycle.jpg", "flower.jpg"])
    @pytest.mark.parametrize("scale", [1, 3])
    def test_sample_photos_come_apart_as_by_the_reference(self, name: str, scale: int) -> None:
        photo, matte = sample(name)
        rgb, alpha = _enlarged(photo.rgb, matte, scale) if scale > 1 else (photo.rgb, matte)
        expected = _reference(rgb, alpha)
        error = _edge_error(self.estimate(rgb, alpha), expected, alpha)
        assert error <= _MAX_ERROR
        assert error < 0.5 * _edge_error(rgb, expected, alpha)

    @pytest.mark.parametrize("size", [(300, 400), (1200, 1600)])
    def test_opaque_pixels_stay_and_transparent_ones_are_black(self, size: tuple[int, int]) -> None:
        scene = composite(*size)
        check_any(self.estimate, scene.rgb, scene.alpha)

    def test_a_small_subject_in_a_large_photo_is_worked_on_where_it_is(self) -> None:
        scene = composite(300, 400)
        rgb = np.full((1500, 2000, 3), 90, np.uint8)
        alpha = np.zeros((1500, 2000), np.uint8)
        rgb[900:1200, 1400:1800], alpha[900:1200, 1400:1800] = scene.rgb, scene.alpha
        foreground = self.estimate(rgb, alpha)[900:1200, 1400:1800]
        error = _edge_error(foreground, scene.truth, scene.alpha)
        assert error < 0.5 * _edge_error(scene.rgb, scene.truth, scene.alpha)

    def test_the_photo_and_the_matte_are_left_as_they_were(self) -> None:
        scene = composite(300, 400)
        rgb, alpha = scene.rgb.copy(), scene.alpha.copy()
        rgb.setflags(write=False)
        alpha.setflags(write=False)
        self.estimate(rgb, alpha)
        assert np.array_equal(rgb, scene.rgb)
        assert np.array_equal(alpha, scene.alpha)

    def test_a_matte_without_soft_edge_needs_no_estimate(self) -> None:
        rgb = composite(60, 80).rgb
        alpha = np.zeros((60, 80), np.uint8)
        assert not self.estimate(rgb, alpha).any()
        alpha[20:40, 20:40] = 255
        assert np.array_equal(self.estimate(rgb, alpha), rgb * (alpha > 0)[..., None])

    @pytest.mark.parametrize("size", _EXTREME_SIZES)
    def test_extreme_shapes_are_taken(self, size: tuple[int, int]) -> None:
        rgb = np.full((*size, 3), 100, np.uint8)
        alpha = np.resize(np.array([0, 60, 120, 255], np.uint8), size)
        assert (self.estimate(rgb, alpha)[alpha > 0] == 100).all()
