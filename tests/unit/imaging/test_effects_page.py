"""The page that shows what a recipe can say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, get_args

import pytest

from events.recipe import Background, Effect, Recipe
from events.validation import decode_json

DOCS: Final = Path(__file__).parents[3] / "docs"
PAGE: Final = (DOCS / "effects.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("effect", get_args(Effect))
def test_every_effect_is_shown_with_the_recipe_that_gives_it(effect: Effect) -> None:
    assert f"### {effect}\n" in PAGE
    assert effect == "none" or f'"effect":"{effect}"' in PAGE


def test_every_recipe_on_the_page_is_one() -> None:
    written = re.findall(r"^    (\{.*\})$", PAGE, re.MULTILINE)
    assert len(written) >= len(get_args(Effect))
    backgrounds = {type(decode_json(text, Recipe).background) for text in written}
    assert backgrounds == {*get_args(Background), type(None)}


def test_every_picture_is_there_and_none_besides() -> None:
    shown = set(re.findall(r"\]\((images/[^)]+)\)", PAGE))
    assert shown == {str(path.relative_to(DOCS)) for path in (DOCS / "images" / "effects").iterdir()}


def test_the_pictures_are_small_enough_for_a_repository() -> None:
    assert sum(path.stat().st_size for path in (DOCS / "images" / "effects").iterdir()) < 1_500_000
