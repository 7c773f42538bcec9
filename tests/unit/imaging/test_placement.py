"""Crop, scale and position: where the subject comes to stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import NoForegroundError
from events.recipe import Crop, Position, Recipe
from imaging.layer import Box, bounds
from imaging.placement import place

if TYPE_CHECKING:
    from imaging.photo import Gray


BOX: Final = Box(50, 20, 90, 40)


def boxed(height: int = 100, width: int = 200, box: Box = BOX) -> Gray:
    """Opaque in a box, faint haze elsewhere."""
    matte = np.full((height, width), 10, np.uint8)
    matte[box.slices] = 255
    return matte


def subject_of(matte: Gray, recipe: Recipe) -> Box:
    """The subject's box in the result's mask."""
    mask = place(matte, recipe).mask(matte)
    found = bounds(mask, 128)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("crop", "size"),
    [
        (Crop(), (40, 20)),
        (Crop(margin=10), (48, 28)),
        (Crop(margin_px=7), (54, 34)),
        (Crop(margin_px=30), (100, 70)),
        (Crop(margin_px=4096), (200, 100)),
    ],
)
def test_a_margin_is_in_percent_of_the_subject_or_in_px(crop: Crop, size: tuple[int, int]) -> None:
    assert place(boxed(), Recipe(crop=crop)).size == size


@pytest.mark.parametrize(
    ("recipe", "box"),
    [
        (Recipe(position=Position()), Box(80, 40, 120, 60)),
        (Recipe(position=Position(x=0, y=0)), Box(0, 0, 40, 20)),
        (Recipe(position=Position(x=100, y=100)), Box(160, 80, 200, 100)),
        (Recipe(position=Position(x=25, y=50)), Box(40, 40, 80, 60)),
        (Recipe(scale=100), Box(0, 0, 200, 100)),
        (Recipe(scale=50), Box(50, 25, 150, 75)),
        (Recipe(scale=10, position=Position(x=100)), Box(180, 45, 200, 55)),
        (Recipe(scale=50, max_side=100), Box(25, 12, 75, 37)),
        (Recipe(crop=Crop(margin=50), scale=50), Box(20, 20, 60, 40)),
        (Recipe(crop=Crop(), position=Position(x=0)), Box(0, 0, 40, 20)),
    ],
)
def test_a_subject_stands_where_the_recipe_says(recipe: Recipe, box: Box) -> None:
    found = subject_of(boxed(), recipe)
    assert np.abs(np.subtract(found, box)).max() <= 1


@given(
    left=st.integers(0, 60),
    top=st.integers(0, 40),
    width=st.integers(4, 60),
    height=st.integers(4, 40),
    scale=st.none() | st.integers(10, 100),
    x=st.integers(0, 100),
    y=st.integers(0, 100),
)
def test_no_place_takes_a_subject_out_of_the_frame(
    left: int, top: int, width: int, height: int, scale: int | None, x: int, y: int
) -> None:
    matte = boxed(80, 120, Box(left, top, left + width, top + height))
    found = subject_of(matte, Recipe(scale=scale, position=Position(x=x, y=y)))
    if scale is None:
        assert (found.width, found.height) == (width, height)
    else:
        filled = max(found.width / 120, found.height / 80)
        assert abs(filled - scale / 100) <= 2 / 80
    free_width, free_height = 120 - found.width, 80 - found.height
    assert abs(found.left - free_width * x / 100) <= 1.5
    assert abs(found.top - free_height * y / 100) <= 1.5


def test_a_moved_subject_leaves_nothing_behind() -> None:
    matte = boxed()
    mask = place(matte, Recipe(position=Position(x=100, y=100))).mask(matte)
    assert not mask[:, :150].any()
    assert not mask[:70].any()


def test_colours_and_mask_are_placed_alike() -> None:
    matte = boxed()
    rgb = np.zeros((100, 200, 3), np.uint8)
    rgb[matte > 0] = (200, 100, 50)
    for recipe in (Recipe(scale=80, max_side=150), Recipe(crop=Crop(margin=20), position=Position(y=0), max_side=40)):
        placement = place(matte, recipe)
        layer = placement.layer(rgb, matte)
        assert np.abs(layer.alpha.astype(int) - placement.mask(matte)).max() <= 1
        assert (layer.rgb[layer.alpha > 0] == (200, 100, 50)).all()
        assert layer.alpha.shape == placement.size[::-1]


@pytest.mark.parametrize("recipe", [Recipe(crop=Crop()), Recipe(scale=50), Recipe(position=Position())])
def test_there_must_be_a_subject_to_place(recipe: Recipe) -> None:
    haze = np.full((100, 200), 15, np.uint8)
    assert place(haze, Recipe()).size == (200, 100)
    with pytest.raises(NoForegroundError, match="no subject"):
        place(haze, recipe)
