"""Recipes of one photo and its matte."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from events.errors import NoForegroundError, UnsupportedRecipeError
from events.recipe import Color, Crop, Recipe
from imaging.decode import decode
from imaging.foreground import estimate_foreground
from imaging.photo import Photo
from imaging.render import Renderer
from tests.unit.imaging.image_files import exif, photo, saved
from tests.unit.imaging.scenes import composite, sample

if TYPE_CHECKING:
    from imaging.photo import Gray, Rgb
    from imaging.render import Rendering

SCENE: Final = composite(120, 160)
MAGENTA: Final = Color(color="#ff00ff")


def boxed_matte(height: int = 100, width: int = 200) -> Gray:
    """Opaque from row 20 to 40 and column 50 to 90, faint haze elsewhere."""
    matte = np.full((height, width), 10, np.uint8)
    matte[20:40, 50:90] = 255
    return matte


def flat_photo(height: int = 100, width: int = 200, color: tuple[int, int, int] = (200, 100, 50)) -> Photo:
    return Photo(np.full((height, width, 3), color, np.uint8))


def opened(rendering: Rendering) -> Image.Image:
    image = Image.open(io.BytesIO(rendering.data))
    assert image.size == (rendering.width, rendering.height)
    return image


def array(rendering: Rendering, mode: str) -> Rgb:
    return np.asarray(opened(rendering).convert(mode))


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(Photo(SCENE.rgb), SCENE.alpha)


@pytest.mark.parametrize(
    ("recipe", "kind", "mode", "content_type"),
    [
        (Recipe(), "PNG", "RGBA", "image/png"),
        (Recipe(background=MAGENTA), "PNG", "RGB", "image/png"),
        (Recipe(format="webp"), "WEBP", "RGBA", "image/webp"),
        (Recipe(format="webp", background=MAGENTA), "WEBP", "RGB", "image/webp"),
        (Recipe(format="jpg", background=MAGENTA), "JPEG", "RGB", "image/jpeg"),
        (Recipe(format="avif"), "AVIF", "RGBA", "image/avif"),
        (Recipe(format="avif", background=MAGENTA), "AVIF", "RGB", "image/avif"),
        (Recipe(format="mask"), "PNG", "L", "image/png"),
    ],
)
def test_each_format_is_what_it_says(
    renderer: Renderer, recipe: Recipe, kind: str, mode: str, content_type: str
) -> None:
    rendering = renderer.render(recipe)
    image = opened(rendering)
    assert (image.format, image.mode, rendering.content_type) == (kind, mode, content_type)
    assert (rendering.width, rendering.height) == (160, 120)


def test_a_cutout_has_the_matte_as_alpha_and_no_colour_where_it_is_transparent(renderer: Renderer) -> None:
    pixels = array(renderer.render(Recipe()), "RGBA")
    assert np.array_equal(pixels[..., 3], SCENE.alpha)
    assert np.array_equal(pixels[SCENE.alpha == 255, :3], SCENE.rgb[SCENE.alpha == 255])
    assert not pixels[SCENE.alpha == 0].any()


def test_the_edge_has_the_subjects_colours(renderer: Renderer) -> None:
    pixels = array(renderer.render(Recipe()), "RGBA")
    edge = (SCENE.alpha > 30) & (SCENE.alpha < 220)
    error = np.abs(pixels[edge, :3].astype(int) - SCENE.truth[edge]).mean()
    assert error < 0.5 * np.abs(SCENE.rgb[edge].astype(int) - SCENE.truth[edge]).mean()


def test_the_foreground_is_estimated_once_and_only_if_a_recipe_needs_it() -> None:
    estimate = mock.Mock(wraps=estimate_foreground)
    fresh = Renderer(Photo(SCENE.rgb), SCENE.alpha, estimate=estimate)
    fresh.render(Recipe(format="mask"))
    assert estimate.call_count == 0
    for recipe in (Recipe(), Recipe(format="webp"), Recipe(background=MAGENTA)):
        fresh.render(recipe)
    assert estimate.call_count == 1


def test_a_mask_is_the_matte(renderer: Renderer) -> None:
    assert np.array_equal(array(renderer.render(Recipe(format="mask")), "L"), SCENE.alpha)


def test_a_crop_ignores_faint_haze() -> None:
    renderer = Renderer(flat_photo(), boxed_matte())
    rendering = renderer.render(Recipe(crop=Crop()))
    assert (rendering.width, rendering.height) == (40, 20)
    assert (array(rendering, "RGBA") == (200, 100, 50, 255)).all()


@pytest.mark.parametrize(
    ("margin", "size"),
    [(10, (48, 28)), (50, (80, 60)), (11, (48, 28)), (100, (120, 80))],
    ids=["both sides", "up to the frame", "rounded", "clipped at two sides"],
)
def test_a_margin_is_a_share_of_the_subjects_longer_side_within_the_frame(margin: int, size: tuple[int, int]) -> None:
    rendering = Renderer(flat_photo(), boxed_matte()).render(Recipe(crop=Crop(margin=margin)))
    assert (rendering.width, rendering.height) == size


def test_a_mask_is_cropped_and_scaled_as_the_cutout_is(renderer: Renderer) -> None:
    cutout = renderer.render(Recipe(crop=Crop(margin=5), max_side=60))
    mask = renderer.render(Recipe(crop=Crop(margin=5), max_side=60, format="mask"))
    assert (mask.width, mask.height) == (cutout.width, cutout.height)
    assert np.abs(array(mask, "L").astype(int) - array(cutout, "RGBA")[..., 3]).max() <= 1


def test_there_must_be_a_subject_to_crop_to() -> None:
    renderer = Renderer(flat_photo(), np.full((100, 200), 15, np.uint8))
    assert renderer.render(Recipe()).width == 200
    with pytest.raises(NoForegroundError, match="no subject"):
        renderer.render(Recipe(crop=Crop()))


@pytest.mark.parametrize(("max_side", "size"), [(80, (80, 60)), (50, (50, 38)), (160, (160, 120)), (9999, (160, 120))])
def test_a_result_is_scaled_down_never_up(renderer: Renderer, max_side: int, size: tuple[int, int]) -> None:
    rendering = renderer.render(Recipe(max_side=max_side))
    assert (rendering.width, rendering.height) == size


def test_a_sliver_keeps_a_pixel() -> None:
    thin = Renderer(flat_photo(1, 400), np.full((1, 400), 255, np.uint8))
    rendering = thin.render(Recipe(max_side=16))
    assert (rendering.width, rendering.height) == (16, 1)


def test_scaling_down_keeps_dark_out_of_the_edge() -> None:
    stripes = np.zeros((100, 200), np.uint8)
    stripes[:, ::3] = 255
    pixels = array(Renderer(flat_photo(), stripes).render(Recipe(max_side=40)), "RGBA")
    assert (pixels[..., :3] == (200, 100, 50)).all()
    assert 60 < pixels[..., 3].mean() < 110


def test_black_and_white_is_bt709_luma() -> None:
    opaque = np.full((100, 200), 255, np.uint8)
    pixels = array(Renderer(flat_photo(), opaque).render(Recipe(effect="black_white")), "RGB")
    assert (pixels == round(0.2126 * 200 + 0.7152 * 100 + 0.0722 * 50)).all()


def test_black_and_white_leaves_a_background_its_colour(renderer: Renderer) -> None:
    pixels = array(renderer.render(Recipe(effect="black_white", background=MAGENTA)), "RGB")
    assert (pixels[SCENE.alpha == 0] == (255, 0, 255)).all()
    subject = pixels[SCENE.alpha == 255]
    assert (subject == subject[:, :1]).all()


def test_a_background_shows_through_as_much_as_alpha_lets_it() -> None:
    half = np.full((100, 200), 102, np.uint8)
    photo_of_one_colour = flat_photo(color=(200, 100, 50))
    pixels = array(Renderer(photo_of_one_colour, half).render(Recipe(background=Color(color="#0064ff"))), "RGB")
    assert (pixels == (80, 100, 173)).all()


def test_the_photos_own_alpha_multiplies_the_matte() -> None:
    own = np.tile(np.array([0, 128, 255], np.uint8).repeat(20), (100, 1))
    matte = np.full((100, 60), 128, np.uint8)
    matte[:50] = 255
    rgb = flat_photo(100, 60).rgb
    pixels = array(Renderer(Photo(rgb, own), matte).render(Recipe()), "RGBA")
    assert pixels[0, [5, 25, 45], 3].tolist() == [0, 128, 255]
    assert pixels[99, [5, 25, 45], 3].tolist() == [0, 64, 128]
    assert not pixels[:, :20].any()
    assert (pixels[:, 20:40, :3] == rgb[0, 0]).all()


def test_a_matte_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="matte of"):
        Renderer(flat_photo(), np.zeros((10, 10), np.uint8))


def test_webp_beyond_its_largest_side_says_so() -> None:
    wide = Renderer(flat_photo(1, 16_384), np.full((1, 16_384), 255, np.uint8))
    with pytest.raises(UnsupportedRecipeError, match="16383"):
        wide.render(Recipe(format="webp"))
    assert wide.render(Recipe(format="webp", max_side=1000)).width == 1000


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(format="webp"), Recipe(format="jpg", background=MAGENTA)])
def test_two_renderers_give_the_same_bytes(recipe: Recipe) -> None:
    first, second = (Renderer(Photo(SCENE.rgb), SCENE.alpha).render(recipe).data for _ in range(2))
    assert first == second


def test_where_a_photo_was_taken_is_not_in_the_result() -> None:
    tagged = decode(saved(photo(), "JPEG", exif=exif(1)))
    matte = np.full(tagged.rgb.shape[:2], 255, np.uint8)
    for recipe in (Recipe(), Recipe(format="webp"), Recipe(format="jpg", background=MAGENTA)):
        data = Renderer(tagged, matte).render(recipe).data
        assert not Image.open(io.BytesIO(data)).getexif()
        assert b"Sample Phone" not in data
        assert b"Exif" not in data


@pytest.mark.parametrize("name", ["astronaut.jpg", "cat.jpg", "motorcycle.jpg", "flower.jpg"])
def test_sample_photos_are_cut_out(name: str) -> None:
    sample_photo, matte = sample(name)
    rendering = Renderer(sample_photo, matte).render(Recipe(crop=Crop(margin=3), format="webp"))
    assert rendering.width <= sample_photo.width
    assert len(rendering.data) < 120_000
