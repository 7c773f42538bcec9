"""The foreground's colours in torch, on the CPU here: as near to the reference as those that need no GPU."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from gpu_worker.foreground import TorchForeground
from gpu_worker.start import foreground_on
from imaging.foreground import estimate_foreground
from tests.unit.imaging.scenes import composite, sample
from tests.unit.imaging.test_foreground import MAX_ERROR, edge_error, enlarged, reference

if TYPE_CHECKING:
    from imaging.photo import Gray, Rgb

on_cpu = TorchForeground("cpu")


@pytest.mark.parametrize("size", [(300, 400), (1200, 1600)])
def test_composites_come_apart_as_by_the_reference_and_nearer_to_the_truth(size: tuple[int, int]) -> None:
    scene = composite(*size)
    foreground = on_cpu(scene.rgb, scene.alpha)
    expected = reference(scene.rgb, scene.alpha)
    assert edge_error(foreground, expected, scene.alpha) <= MAX_ERROR
    error = edge_error(foreground, scene.truth, scene.alpha)
    assert error < edge_error(expected, scene.truth, scene.alpha) + 0.3


@pytest.mark.parametrize("name", ["astronaut.jpg", "cat.jpg", "motorcycle.jpg", "flower.jpg"])
@pytest.mark.parametrize("scale", [1, 3])
def test_sample_photos_come_apart_as_by_the_reference(name: str, scale: int) -> None:
    photo, matte = sample(name)
    rgb, alpha = enlarged(photo.rgb, matte, scale) if scale > 1 else (photo.rgb, matte)
    expected = reference(rgb, alpha)
    error = edge_error(on_cpu(rgb, alpha), expected, alpha)
    assert error <= MAX_ERROR
    assert error < 0.5 * edge_error(rgb, expected, alpha)


def test_opaque_pixels_stay_and_transparent_ones_are_black() -> None:
    for size in ((300, 400), (1200, 1600)):
        scene = composite(*size)
        foreground = on_cpu(scene.rgb, scene.alpha)
        assert np.array_equal(foreground[scene.alpha == 255], scene.rgb[scene.alpha == 255])
        assert not foreground[scene.alpha == 0].any()


def test_a_small_subject_in_a_large_photo_is_worked_on_where_it_is() -> None:
    scene = composite(300, 400)
    rgb = np.full((1500, 2000, 3), 90, np.uint8)
    alpha = np.zeros((1500, 2000), np.uint8)
    rgb[900:1200, 1400:1800], alpha[900:1200, 1400:1800] = scene.rgb, scene.alpha
    foreground = on_cpu(rgb, alpha)[900:1200, 1400:1800]
    assert edge_error(foreground, scene.truth, scene.alpha) < 0.5 * edge_error(scene.rgb, scene.truth, scene.alpha)


def test_the_photo_and_the_matte_are_left_as_they_were() -> None:
    scene = composite(300, 400)
    rgb, alpha = scene.rgb.copy(), scene.alpha.copy()
    rgb.setflags(write=False)
    alpha.setflags(write=False)
    on_cpu(rgb, alpha)
    assert np.array_equal(rgb, scene.rgb)
    assert np.array_equal(alpha, scene.alpha)


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(1, 40), st.integers(1, 40))
def test_any_size_and_any_matte_are_taken(data: st.DataObject, height: int, width: int) -> None:
    rgb = data.draw(st_numpy.arrays(np.uint8, (height, width, 3)))
    alpha = data.draw(st_numpy.arrays(np.uint8, (height, width)))
    foreground = on_cpu(rgb, alpha)
    assert foreground.shape == rgb.shape
    assert foreground.dtype == np.uint8
    assert np.array_equal(foreground[alpha == 255], rgb[alpha == 255])
    assert not foreground[alpha == 0].any()


@pytest.mark.parametrize("size", [(1, 16_384), (16_384, 1), (62, 16_384), (16_384, 62)])
def test_extreme_shapes_are_taken(size: tuple[int, int]) -> None:
    rgb = np.full((*size, 3), 100, np.uint8)
    alpha = np.resize(np.array([0, 60, 120, 255], np.uint8), size)
    assert (on_cpu(rgb, alpha)[alpha > 0] == 100).all()


def test_where_the_devices_memory_does_not_do_the_cpu_computes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def estimate(_self: TorchForeground, _rgb: Rgb, _alpha: Gray) -> Rgb:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(TorchForeground, "_estimate", estimate)
    scene = composite(60, 80)
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(on_cpu(scene.rgb, scene.alpha), estimate_foreground(scene.rgb, scene.alpha))
    assert [record.message for record in caplog.records] == ["foreground_beyond_gpu_memory"]


def test_it_is_computed_where_the_network_runs() -> None:
    assert isinstance(foreground_on("cuda"), TorchForeground)
    assert foreground_on("cpu") is estimate_foreground
