"""Outline and drop shadow."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from events.recipe import Outline, Shadow
from imaging.layer import Layer, bounds, visible
from imaging.underlay import outlined, shadowed


def disc(side: int = 400, radius: float = 0.2) -> Layer:
    """A red disc in the middle, its edge a pixel wide."""
    y, x = np.mgrid[:side, :side] + 0.5
    inside = np.clip(radius * side - np.hypot(x - side / 2, y - side / 2) + 0.5, 0, 1)
    alpha = np.rint(255 * inside).astype(np.uint8)
    rgb = np.zeros((side, side, 3), np.uint8)
    rgb[alpha > 0] = (220, 20, 30)
    return Layer(rgb, alpha)


def reach(layer: Layer) -> float:
    """Pixels from the middle to where the layer is half transparent, to the right."""
    side = layer.alpha.shape[0]
    return float(layer.alpha[side // 2, side // 2 :].astype(float).sum() / 255)


@pytest.mark.parametrize("side", [200, 400, 1600, 3000])
def test_an_outline_is_as_wide_as_the_recipe_says_at_any_size(side: int) -> None:
    sticker = outlined(disc(side), Outline(width=50))
    assert reach(sticker) == pytest.approx(0.25 * side, abs=0.006 * side)


def test_an_outline_lies_under_the_subject_in_its_colour() -> None:
    sticker = outlined(disc(), Outline(color="#00ff80", width=40))
    assert (sticker.rgb[200, 200] == (220, 20, 30)).all()
    ring = sticker.rgb[200, 285:293]
    assert (ring == (0, 255, 128)).all()
    assert (sticker.alpha[200, 110:290] == 255).all()
    assert not sticker.alpha[:90].any()
    assert not sticker.rgb[sticker.alpha == 0].any()


def test_an_outlines_edge_is_smooth_and_round() -> None:
    sticker = outlined(disc(), Outline(width=40))
    soft = (sticker.alpha > 0) & (sticker.alpha < 255)
    assert 200 < soft.sum() < 2500
    y, x = np.nonzero(soft)
    distances = np.hypot(x + 0.5 - 200, y + 0.5 - 200)
    assert distances.max() - distances.min() < 4


@pytest.mark.parametrize(("hole", "filled"), [(20, True), (60, True), (140, False)])
def test_small_holes_are_backed_and_large_ones_stay_open(hole: int, filled: bool) -> None:  # noqa: FBT001
    alpha = np.zeros((400, 400), np.uint8)
    cv2.circle(alpha, (200, 200), 150, 255, -1)
    cv2.circle(alpha, (200, 200), hole // 2, 0, -1)
    sticker = outlined(visible(np.full((400, 400, 3), 50, np.uint8), alpha), Outline(width=30))
    assert (sticker.alpha[200, 200] == 255) == filled
    assert sticker.alpha[5, 5] == 0
    assert (sticker.alpha[200, 130:270] == 255).all() == filled


def test_specks_get_no_outline() -> None:
    layer = disc()
    layer.alpha[20, 20] = 200
    sticker = outlined(layer, Outline(width=30))
    assert (sticker.alpha[10:35, 10:35] > 0).sum() == 1


def test_a_shadow_falls_where_the_recipe_says() -> None:
    cast = shadowed(disc(), Shadow(opacity=100, blur=0, x=100, y=-50))
    box = bounds(cast.alpha, 128)
    assert box == (120, 100, 320, 280)
    assert (cast.rgb[180, 310] == 0).all()
    assert (cast.rgb[200, 200] == (220, 20, 30)).all()


@pytest.mark.parametrize("blur", [0, 5, 40])
def test_a_shadow_has_the_opacity_of_the_recipe_where_it_is_full(blur: int) -> None:
    cast = shadowed(disc(radius=0.3), Shadow(opacity=40, blur=blur, x=0, y=150, color="#102030"))
    below = cast.alpha[330, 200], cast.rgb[330, 200]
    assert below[0] == pytest.approx(102, abs=18 if blur == 40 else 3)
    assert (below[1] == (16, 32, 48)).all()


def test_a_shadow_is_the_softer_the_larger_its_blur() -> None:
    widths = []
    for blur in (0, 10, 30):
        alpha = shadowed(disc(), Shadow(opacity=100, blur=blur, y=200)).alpha[:, 200]
        widths.append(int(((alpha[300:] > 10) & (alpha[300:] < 245)).sum()))
    assert widths[0] < widths[1] < widths[2]


def test_a_shadow_of_what_the_frame_cuts_goes_on_to_its_edge() -> None:
    rgb, alpha = np.full((200, 200, 3), 90, np.uint8), np.zeros((200, 200), np.uint8)
    alpha[100:, 60:140] = 255
    cast = shadowed(visible(rgb, alpha), Shadow(opacity=80, blur=20, x=40, y=-20))
    column = cast.alpha[120:, 143]
    assert column.min() > 100
    assert int(column.max()) - int(column.min()) < 6


def test_a_preview_has_the_outline_and_the_shadow_of_the_full_picture() -> None:
    full, preview = (
        shadowed(outlined(disc(side), Outline(width=30)), Shadow(blur=20, y=40)).alpha for side in (1200, 300)
    )
    small = cv2.resize(full, (300, 300), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - preview).mean() < 1.5
