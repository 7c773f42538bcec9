"""Any recipe on any photo gives what it promises: size, mode, format, resolution."""

from __future__ import annotations

import io
from itertools import product
from typing import TYPE_CHECKING, Final, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from events.recipe import Effect, Format, Outline, Position, Recipe
from imaging.inspection import inspect
from imaging.layer import bounds, fitted
from imaging.photo import Photo
from imaging.render import Renderer
from tests.unit.recipes import recipes

if TYPE_CHECKING:
    from imaging.photo import Gray
    from imaging.render import Rendering

PICTURE: Final = Photo(np.random.default_rng(9).integers(0, 256, (37, 61, 3), np.uint8))
KINDS: Final = {"png": "PNG", "webp": "WEBP", "jpg": "JPEG", "avif": "AVIF", "mask": "PNG"}


@st.composite
def cutouts(draw: st.DrawFn) -> tuple[Photo, Gray]:
    """A photo of any shape with a subject somewhere in it, and perhaps an alpha of its own."""
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    matte = random.integers(0, draw(st.sampled_from((1, 40, 256))), (height, width), np.uint8)
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    matte[top : draw(st.integers(top + 1, height)), left : draw(st.integers(left + 1, width))] = 255
    own = random.integers(1, 256, (height, width), np.uint8) if draw(st.booleans()) else None
    return Photo(random.integers(0, 256, (height, width, 3), np.uint8), own), matte


def promised_size(photo: Photo, matte: Gray, recipe: Recipe) -> tuple[int, int]:
    width, height = photo.width, photo.height
    if recipe.crop is not None:
        alpha = matte if photo.alpha is None else np.rint(matte / 255 * photo.alpha).astype(np.uint8)
        box = bounds(alpha)
        assert box is not None
        margin = recipe.crop.margin_px or round(max(box.width, box.height) * recipe.crop.margin / 100)
        width = min(box.right + margin, width) - max(box.left - margin, 0)
        height = min(box.bottom + margin, height) - max(box.top - margin, 0)
    return fitted(width, height, recipe.longest_side or max(width, height))


def modes(recipe: Recipe) -> set[str]:
    if recipe.format == "mask":
        return {"L"}
    if recipe.background is not None:
        return {"RGB"}
    # The libraries of the others leave out an alpha that hides nothing.
    return {"RGBA"} if recipe.format == "png" else {"RGBA", "RGB"}


def opened(rendering: Rendering) -> Image.Image:
    image = Image.open(io.BytesIO(rendering.data))
    image.load()
    return image


def resolution(image: Image.Image) -> float | None:
    if "dpi" in image.info:
        return float(image.info["dpi"][0])
    return float(image.getexif()[0x011A]) if image.getexif() else None


@settings(deadline=None, max_examples=150)
@given(cutouts(), recipes())
def test_a_result_is_what_its_recipe_promises(cutout: tuple[Photo, Gray], recipe: Recipe) -> None:
    photo, matte = cutout
    subject = bounds(matte if photo.alpha is None else np.rint(matte / 255 * photo.alpha).astype(np.uint8))
    if subject is None:  # a photo's own alpha may hide all of it
        return
    rendering = Renderer(photo, matte, lambda _asset: PICTURE).render(recipe)
    image = opened(rendering)
    assert (rendering.width, rendering.height) == image.size == promised_size(photo, matte, recipe)
    assert image.format == KINDS[recipe.format]
    assert image.mode in modes(recipe)
    assert rendering.content_type == recipe.content_type == Image.MIME[KINDS[recipe.format]]
    assert inspect(rendering.data).end == len(rendering.data)
    wanted = recipe.dpi
    found = resolution(image)
    assert (found is None) if wanted is None else found == pytest.approx(wanted, abs=0.02)


@settings(deadline=None, max_examples=40)
@given(cutouts(), recipes())
def test_a_recipe_gives_the_same_file_each_time(cutout: tuple[Photo, Gray], recipe: Recipe) -> None:
    photo, matte = cutout
    if photo.alpha is not None:
        photo = Photo(photo.rgb)
    first, second = (Renderer(photo, matte, lambda _asset: PICTURE).render(recipe).data for _ in range(2))
    assert first == second


@pytest.mark.parametrize("effect", get_args(Effect))
def test_an_effect_takes_the_smallest_photos(effect: Effect) -> None:
    for height, width in product(range(1, 6), repeat=2):
        photo = Photo(np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8))
        renderer = Renderer(photo, np.full((height, width), 255, np.uint8))
        outline = Outline(color="#ffffff", width=1)
        assert opened(renderer.render(Recipe(effect=effect, outline=outline))).size == (width, height)


def test_a_resolution_changes_no_pixel() -> None:
    photo = Photo(np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8))
    renderer = Renderer(photo, np.full((40, 60), 255, np.uint8))
    formats: tuple[Format, ...] = ("png", "webp", "avif", "mask")
    for image_format in formats:
        plain, tagged = (
            np.asarray(opened(renderer.render(Recipe(format=image_format, dpi=dpi)))) for dpi in (None, 300)
        )
        assert np.array_equal(plain, tagged)


def test_a_subject_can_be_moved_in_every_format() -> None:
    alpha = np.zeros((40, 80), np.uint8)
    alpha[10:30, 10:30] = 255
    renderer = Renderer(Photo(np.full((40, 80, 3), 77, np.uint8)), alpha)
    recipe = Recipe(format="mask", position=Position(x=100, y=50))
    mask = np.asarray(opened(renderer.render(recipe)))
    assert (mask[10:30, 60:80] == 255).all()
    assert not mask[:, :59].any()
