"""Recipes as they are written on the command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import pytest

from events.errors import InvalidMessageError
from local.recipes import add_recipe_arguments, recipes_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def parsed(*arguments: str) -> list[dict[str, Any]]:
    parser = argparse.ArgumentParser()
    add_recipe_arguments(parser)
    return recipes_of(parser.parse_args(arguments))


@pytest.mark.parametrize(
    ("arguments", "recipe"),
    [
        ([], {}),
        (["--background", "#FFAA00"], {"background": {"kind": "color", "color": "#ffaa00"}}),
        (
            ["--background", "#ffffff,#000000@90"],
            {"background": {"kind": "gradient", "colors": ["#ffffff", "#000000"], "angle": 90}},
        ),
        (["--background", "blur"], {"background": {"kind": "blur"}}),
        (["--background", "blur:40"], {"background": {"kind": "blur", "radius": 40}}),
        (["--background", f"asset:{'0' * 64}"], {"background": {"kind": "image", "asset": "0" * 64}}),
        (["--crop", "5"], {"crop": {"margin": 5}}),
        (["--crop", "12px"], {"crop": {"margin_px": 12}}),
        (["--scale", "80", "--position", "50,100"], {"scale": 80, "position": {"x": 50, "y": 100}}),
        (["--shadow", "--outline"], {"shadow": {}, "outline": {}}),
        (["--shadow", "5,-8", "--outline", "20"], {"shadow": {"x": 5, "y": -8}, "outline": {"width": 20}}),
        (
            ["--format", "avif", "--size", "medium", "--max-side", "900", "--dpi", "300"],
            {"format": "avif", "size": "medium", "max_side": 900, "dpi": 300},
        ),
    ],
)
def test_options_are_fields(arguments: Sequence[str], recipe: dict[str, Any]) -> None:
    assert parsed(*arguments) == [recipe | {"effect": "none"}]


def test_each_effect_is_a_recipe_of_its_own() -> None:
    recipes = parsed("--effect", "sepia", "--effect", "sketch", "--max-side", "64")
    assert recipes == [{"max_side": 64, "effect": "sepia"}, {"max_side": 64, "effect": "sketch"}]


def test_every_field_beyond_its_limit_is_named() -> None:
    with pytest.raises(InvalidMessageError) as caught:
        parsed("--scale", "0", "--dpi", "9999", "--background", "red")
    assert set(caught.value.fields) == {"$[0].scale", "$[0].dpi", "$[0].background.color"}


@pytest.mark.parametrize("arguments", [["--position", "5"], ["--shadow", "a,b"], ["--crop", "wide"]])
def test_what_is_no_number_is_refused(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(*arguments)
    assert arguments[0] in capsys.readouterr().err
