"""Colours, gradients, and the photo's own background out of focus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from events.recipe import Blur, Color, Crop, Gradient, Picture, Recipe
from imaging.backdrop import backdrop
from imaging.photo import Photo
from imaging.placement import place

if TYPE_CHECKING:
    from events.recipe import Background
    from imaging.photo import Gray, Rgb


PICTURE: Final = Photo(np.repeat(np.arange(250, dtype=np.uint8), 4)[None, :, None].repeat(300, 0).repeat(3, 2))
"""1000 x 300 px, from black on the left to near white on the right."""
SEE_THROUGH: Final = Photo(np.zeros((50, 50, 3), np.uint8), np.zeros((50, 50), np.uint8))


def drawn(background: Background, photo: Photo, alpha: Gray, **parts: object) -> Rgb:
    recipe = Recipe(background=background, **parts)  # type: ignore[arg-type]  # of a recipe
    return backdrop(
        background, place(alpha, recipe), photo, alpha, {"0" * 64: PICTURE, "1" * 64: SEE_THROUGH}.__getitem__
    )


def plain(width: int, height: int) -> tuple[Photo, Gray]:
    return Photo(np.zeros((height, width, 3), np.uint8)), np.full((height, width), 255, np.uint8)


def test_a_colour_is_everywhere_the_same() -> None:
    assert (drawn(Color(color="#1080f0"), *plain(30, 20)) == (16, 128, 240)).all()


@pytest.mark.parametrize(
    ("angle", "first", "last"),
    [
        (0, (slice(None), -1), (slice(None), 0)),
        (90, (0, slice(None)), (-1, slice(None))),
        (180, (slice(None), 0), (slice(None), -1)),
        (270, (-1, slice(None)), (0, slice(None))),
        (135, (0, 0), (-1, -1)),
        (45, (0, -1), (-1, 0)),
    ],
)
def test_a_gradient_starts_and_ends_where_that_of_css_does(
    angle: int, first: tuple[object, object], last: tuple[object, object]
) -> None:
    """`first` and `last` are columns and rows of the picture."""
    rgb = drawn(Gradient(colors=("#000000", "#ff0000"), angle=angle), *plain(400, 200))[..., 0].T
    assert rgb[first].max() <= 2  # type: ignore[index]
    assert rgb[last].min() >= 253  # type: ignore[index]


def test_a_gradient_passes_its_colours_at_equal_distances() -> None:
    rgb = drawn(Gradient(colors=("#ff0000", "#00ff00", "#0000ff"), angle=90), *plain(401, 3))
    passed = [[254, 1, 0], [128, 127, 0], [0, 255, 0], [0, 127, 128], [0, 1, 254]]
    assert np.abs(rgb[1, [0, 100, 200, 300, 400]].astype(int) - passed).max() <= 1


def scene(width: int = 400, height: int = 300) -> tuple[Photo, Gray]:
    """A white subject before a wall that is red on the left and blue on the right; its edge is soft and bleeds."""
    alpha = np.zeros((height, width), np.uint8)
    alpha[60:240, 120:280] = 128
    alpha[64:236, 124:276] = 255
    wall = np.zeros((height, width, 3), np.uint8)
    wall[:, : width // 2] = (160, 20, 20)
    wall[:, width // 2 :] = (20, 20, 160)
    share = alpha[..., None] / 255
    return Photo(np.rint(255 * share + wall * (1 - share)).astype(np.uint8)), alpha


def test_nothing_of_the_subject_is_left_in_its_blurred_background() -> None:
    rgb = drawn(Blur(radius=40), *scene()).astype(int)
    assert rgb[..., 1].max() < 45
    assert np.abs(rgb[150, 20] - (160, 20, 20)).max() < 12
    assert np.abs(rgb[150, 380] - (20, 20, 160)).max() < 12


def test_a_larger_radius_is_softer() -> None:
    steepest = [
        np.abs(np.diff(drawn(Blur(radius=radius), *scene())[10].astype(int), axis=0)).max() for radius in (5, 20, 80)
    ]
    assert steepest[0] > steepest[1] > steepest[2]


def test_a_blur_looks_alike_at_every_size() -> None:
    full = drawn(Blur(), *scene())
    preview = drawn(Blur(), *scene(), max_side=100)
    assert np.abs(full[2::4, 2::4].astype(int) - preview).mean() < 3


def test_a_subject_that_fills_the_frame_is_its_own_background() -> None:
    rgb = np.full((40, 60, 3), (90, 120, 150), np.uint8)
    blurred = drawn(Blur(), Photo(rgb), np.full((40, 60), 255, np.uint8))
    assert np.abs(blurred.astype(int) - (90, 120, 150)).max() <= 1


def test_transparent_parts_of_a_photo_are_no_background() -> None:
    photo, alpha = scene()
    own = np.full(alpha.shape, 255, np.uint8)
    own[:, 300:] = 0
    black = photo.rgb.copy()
    black[:, 300:] = 0
    blurred = drawn(Blur(), Photo(black, own), alpha)
    assert blurred[150, 390, 2] > 120


@pytest.mark.parametrize(
    ("width", "height", "left", "right"),
    [
        (1000, 300, 0, 249),
        (300, 300, 87, 162),
        (500, 150, 0, 249),
        (60, 120, 106, 143),
        (2000, 300, 0, 249),
        (3, 200, 123, 125),
    ],
)
def test_an_image_covers_the_frame_around_its_middle(width: int, height: int, left: int, right: int) -> None:
    rgb = drawn(Picture(asset="0" * 64), *plain(width, height))
    assert rgb.shape == (height, width, 3)
    assert np.abs(rgb[:, 0].astype(int) - left).max() <= 2
    assert np.abs(rgb[:, -1].astype(int) - right).max() <= 2


def test_a_transparent_image_stands_on_white() -> None:
    assert (drawn(Picture(asset="1" * 64), *plain(30, 20)) == 255).all()


def test_a_cropped_result_has_the_background_of_its_crop() -> None:
    photo, alpha = scene()
    whole = drawn(Blur(radius=5), photo, alpha)
    cropped = drawn(Blur(radius=5), photo, alpha, crop=Crop(margin_px=30))
    assert np.abs(cropped.astype(int) - whole[30:270, 90:310]).mean() < 4
