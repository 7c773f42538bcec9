"""The subject's colours at its edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from imaging.foreground import estimate_foreground
from tests.unit.imaging.foreground_contract import ForegroundContract, check_any

if TYPE_CHECKING:
    from imaging.photo import Gray, Rgb


class TestEstimateForeground(ForegroundContract):
    def estimate(self, rgb: Rgb, alpha: Gray) -> Rgb:
        return estimate_foreground(rgb, alpha)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 40), st.integers(1, 40))
def test_any_size_and_any_matte_are_taken(data: st.DataObject, height: int, width: int) -> None:
    rgb = data.draw(st_numpy.arrays(np.uint8, (height, width, 3)))
    check_any(estimate_foreground, rgb, data.draw(st_numpy.arrays(np.uint8, (height, width))))
