"""Recipes from the command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final, get_args

from events.recipe import Effect, Format, Recipe, Size
from events.validation import convert

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["add_recipe_arguments", "background", "recipes_of"]

_FIELDS: Final = ("background", "crop", "scale", "position", "shadow", "outline", "format", "size", "max_side", "dpi")


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of which `recipes_of` makes recipes. What may be left out has the recipe's default."""
    parser.add_argument("--effect", action="append", choices=get_args(Effect), help="may be given several times")
    parser.add_argument(
        "--background",
        type=background,
        metavar="BACKGROUND",
        help="#RRGGBB, or #RRGGBB,#RRGGBB[,...][@DEGREES] for a gradient, or blur[:THOUSANDTHS], or asset:SHA256 "
        "(default: transparent)",
    )
    parser.add_argument("--crop", metavar="PERCENT|PXpx", type=_crop, help="crop to the subject, with this margin")
    parser.add_argument("--scale", type=int, metavar="PERCENT", help="of the frame that the subject fills")
    parser.add_argument(
        "--position", type=_numbers("x", "y"), metavar="X,Y", help="of the subject, in percent: 50,50 is central"
    )
    parser.add_argument(
        "--shadow",
        nargs="?",
        const={},
        type=_numbers("x", "y"),
        metavar="X,Y",
        help="a drop shadow, moved by thousandths",
    )
    parser.add_argument(
        "--outline",
        nargs="?",
        const={},
        type=_numbers("width"),
        metavar="THOUSANDTHS",
        help="a line around the subject",
    )
    parser.add_argument("--format", choices=get_args(Format))
    parser.add_argument("--size", choices=get_args(Size), help="a limit of the longest side")
    parser.add_argument("--max-side", type=int, metavar="PX", help="longest side of the result")
    parser.add_argument("--dpi", type=int, help="resolution for print, noted in the file")


def recipes_of(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One recipe for each effect. Raises `InvalidMessageError` naming every field that breaks a limit."""
    given = {name: value for name in _FIELDS if (value := getattr(options, name)) is not None}
    recipes = [given | {"effect": effect} for effect in options.effect or ["none"]]
    convert(recipes, list[Recipe])
    return recipes


def background(text: str) -> dict[str, Any]:
    """What a background is called on the command line, as a recipe has it."""
    kind, _, value = text.partition(":")
    if kind == "blur":
        return {"kind": "blur"} | ({"radius": int(value)} if value else {})
    if kind == "asset":
        return {"kind": "image", "asset": value}
    colors, _, angle = text.lower().partition("@")
    if "," not in colors:
        return {"kind": "color", "color": colors}
    return {"kind": "gradient", "colors": colors.split(",")} | ({"angle": int(angle)} if angle else {})


def _crop(text: str) -> dict[str, int]:
    pixels = text.removesuffix("px")
    return {"margin_px" if pixels != text else "margin": int(pixels)}


def _numbers(*names: str) -> Callable[[str], dict[str, int]]:
    """Whole numbers between commas, as fields of these names."""

    def numbers(text: str) -> dict[str, int]:
        try:
            return dict(zip(names, map(int, text.split(",")), strict=True))
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {','.join(names).upper()}") from None

    return numbers
