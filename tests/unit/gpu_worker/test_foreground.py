"""The foreground's colours in torch, on the CPU here: as near to the reference as those that need no GPU."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from gpu_worker.foreground import TorchForeground
from gpu_worker.start import foreground_on
from imaging.foreground import estimate_foreground
from tests.unit.imaging.foreground_contract import ForegroundContract, check_any
from tests.unit.imaging.scenes import composite

if TYPE_CHECKING:
    import pytest

    from imaging.photo import Gray, Rgb

on_cpu = TorchForeground("cpu")


class TestTorchForeground(ForegroundContract):
    def estimate(self, rgb: Rgb, alpha: Gray) -> Rgb:
        return on_cpu(rgb, alpha)


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(1, 40), st.integers(1, 40))
def test_any_size_and_any_matte_are_taken(data: st.DataObject, height: int, width: int) -> None:
    rgb = data.draw(st_numpy.arrays(np.uint8, (height, width, 3)))
    check_any(on_cpu, rgb, data.draw(st_numpy.arrays(np.uint8, (height, width))))


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
