"""The demo's own check of what it downloads."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest

from events.recipe import Blur, Color, Crop, Outline, Recipe, Shadow
from imaging.decode import decode
from imaging.render import Renderer
from local.verification import problems_of_image
from tests.unit.imaging.scenes import PHOTOS, sample

PHOTO: Final = (PHOTOS / "flower.jpg").read_bytes()


def told(recipe: Recipe) -> tuple[dict[str, Any], bytes]:
    """A result of the flower as the API tells it, and its file."""
    made = Renderer(decode(PHOTO), sample("flower.jpg")[1]).render(recipe)
    facts = {"width": made.width, "height": made.height, "bytes": len(made.data)}
    return {"recipe": msgspec.json.decode(recipe.canonical())} | facts, made.data


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(),
        Recipe(format="mask"),
        Recipe(format="jpg", background=Color(color="#ffffff"), max_side=200),
        Recipe(crop=Crop(margin=5), effect="halftone", dpi=300),
        Recipe(format="avif", background=Blur(), size="preview", dpi=72),
        Recipe(outline=Outline(), shadow=Shadow(), scale=60, format="webp"),
        Recipe(effect="black_white"),
        Recipe(effect="enhanced_black_white", max_side=300),
        Recipe(effect="black_white", outline=Outline(color="#ff0000")),
        Recipe(effect="black_white", background=Color(color="#ff0000")),
    ],
)
def test_a_result_as_promised_has_no_problems(recipe: Recipe) -> None:
    assert problems_of_image(PHOTO, *told(recipe)) == []


def test_a_result_that_was_not_made_by_the_recipe_has() -> None:
    result, data = told(Recipe(max_side=100))
    found = problems_of_image(PHOTO, result | {"recipe": {}, "bytes": 1}, data)
    assert len(found) == 2
    assert found[0].startswith("size is (100, 67), the photo's gives (640, 427)")


@pytest.mark.parametrize("effect", ["black_white", "enhanced_black_white"])
def test_a_result_that_kept_its_colours_is_not_black_and_white(effect: str) -> None:
    result, data = told(Recipe())
    found = problems_of_image(PHOTO, result | {"recipe": {"effect": effect}}, data)
    assert found == [f"the effect is {effect}, and it has colours"]


def test_a_result_without_a_subject_is_no_cutout() -> None:
    result, data = told(Recipe(scale=1, format="mask"))
    assert any("no cutout" in problem for problem in problems_of_image(PHOTO, result, data))
