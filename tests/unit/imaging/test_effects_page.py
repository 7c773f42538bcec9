"""The page that shows what a recipe can say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import msgspec
import numpy as np
import pytest
from PIL import Image

from events.recipe import Background, Effect, Recipe
from events.validation import convert
from local.effects_page import EXAMPLES, strips

if TYPE_CHECKING:
    from numpy.typing import NDArray

DOCS: Final = Path(__file__).parents[3] / "docs"
PAGE: Final = (DOCS / "effects.md").read_text(encoding="utf-8")
SHOWN: Final = {
    name: [msgspec.json.decode(text) for text in re.findall(r"^    (\{.*\})$", section, re.MULTILINE)]
    for name, section in re.findall(r"^### (\w+)\n(.*?)^!\[", PAGE, re.MULTILINE | re.DOTALL)
}
"""The recipes of each picture, as the page has them."""
LOSS: Final = 3.0  # levels, of 255, that WebP takes from a picture's coarse colours


def seen(picture: Image.Image) -> NDArray[np.int16]:
    """From some way off, where no grain of the codec is left."""
    return np.asarray(picture.reduce(4), np.int16)


@pytest.mark.parametrize("effect", get_args(Effect))
def test_every_effect_is_shown_with_the_recipe_that_gives_it(effect: Effect) -> None:
    assert f"### {effect}\n" in PAGE
    assert effect == "none" or f'"effect":"{effect}"' in PAGE


def test_every_kind_of_background_is_shown() -> None:
    backgrounds = {type(convert(recipe, Recipe).background) for recipes in SHOWN.values() for recipe in recipes}
    assert backgrounds == {*get_args(Background), type(None)}


def test_each_picture_is_what_the_recipes_above_it_make() -> None:
    drawn = dict(strips())
    assert {example.name: list(example.recipes) for example in EXAMPLES} == SHOWN
    assert drawn.keys() == SHOWN.keys()
    for name, strip in drawn.items():
        kept = Image.open(DOCS / "images" / "effects" / f"{name}.webp").convert("RGB")
        assert kept.size == strip.size, name
        assert np.abs(seen(kept) - seen(strip)).mean() < LOSS, f"{name}: run `make effects`"


def test_every_picture_is_there_and_none_besides() -> None:
    shown = set(re.findall(r"\]\((images/[^)]+)\)", PAGE))
    assert shown == {str(path.relative_to(DOCS)) for path in (DOCS / "images" / "effects").iterdir()}


def test_the_pictures_are_small_enough_for_a_repository() -> None:
    assert sum(path.stat().st_size for path in (DOCS / "images" / "effects").iterdir()) < 1_000_000
