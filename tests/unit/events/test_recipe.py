from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import UnsupportedRecipeError
from events.recipe import RENDERER_VERSION, Color, Crop, Effect, Format, Recipe
from events.validation import decode_json
from tests.unit.examples import RECIPE

if TYPE_CHECKING:
    from random import Random

colors: Final = st.integers(0, 0xFFFFFF).map(lambda value: Color(color=f"#{value:06x}"))
crops: Final = st.integers(0, 100).map(lambda margin: Crop(margin=margin))


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    image_format = draw(st.sampled_from(get_args(Format)))
    background = draw(colors if image_format == "jpg" else st.none() | colors)
    masked = image_format == "mask"
    return Recipe(
        effect="none" if masked else draw(st.sampled_from(get_args(Effect))),
        background=None if masked else background,
        crop=draw(st.none() | crops),
        format=image_format,
        max_side=draw(st.none() | st.integers(16, 16384)),
    )


@given(recipes())
def test_the_canonical_form_reads_back_as_the_same_recipe(recipe: Recipe) -> None:
    again = decode_json(recipe.canonical(), Recipe)
    assert again == recipe
    assert again.canonical() == recipe.canonical()


@given(recipes(), st.randoms())
def test_equal_recipes_have_equal_bytes_however_they_were_written(recipe: Recipe, random: Random) -> None:
    fields = list(msgspec.to_builtins(recipe).items())
    random.shuffle(fields)
    assert decode_json(msgspec.json.encode(dict(fields)), Recipe).canonical() == recipe.canonical()


@given(recipes(), recipes())
def test_different_recipes_have_different_digests(one: Recipe, other: Recipe) -> None:
    assert (one == other) == (one.digest() == other.digest())


@pytest.mark.parametrize(
    ("recipe", "canonical", "digest"),
    [
        (Recipe(), b"{}", "ddc959618ab956a97779bc627f4d5f99"),
        (
            RECIPE,
            (
                b'{"background":{"color":"#ff8800","kind":"color"},"crop":{"margin":5},"effect":"black_white",'
                b'"format":"jpg","max_side":800}'
            ),
            "d44ca628726bc94eec497db1bab13fa7",
        ),
        (Recipe(crop=Crop()), b'{"crop":{}}', "124b9ce81f44601fb9b7e9cd59672198"),
    ],
)
def test_digests_of_one_renderer_never_change(
    recipe: Recipe, canonical: bytes, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They name stored results: one that changes is a cache thrown away."""
    monkeypatch.setattr("events.recipe.RENDERER_VERSION", 1)
    assert recipe.canonical() == canonical
    assert recipe.digest() == digest


def test_another_renderer_never_serves_an_old_result(monkeypatch: pytest.MonkeyPatch) -> None:
    old = RECIPE.digest()
    monkeypatch.setattr("events.recipe.RENDERER_VERSION", RENDERER_VERSION + 1)
    assert RECIPE.digest() != old


def test_a_field_added_later_changes_no_digest_until_it_is_used() -> None:
    class Later(Recipe, frozen=True, kw_only=True, forbid_unknown_fields=True):
        shadow: bool = False
        scale: float = 1.0

    later = Later(effect="black_white", crop=Crop(margin=3))
    assert later.digest() == Recipe(effect="black_white", crop=Crop(margin=3)).digest()
    assert msgspec.structs.replace(later, shadow=True).digest() != later.digest()


@pytest.mark.parametrize(
    "parts",
    [
        {"format": "jpg"},
        {"format": "mask", "effect": "black_white"},
        {"format": "mask", "background": Color(color="#ffffff")},
    ],
)
def test_parts_that_do_not_go_together_are_refused(parts: dict[str, object]) -> None:
    with pytest.raises(UnsupportedRecipeError):
        Recipe(**parts)  # type: ignore[arg-type]  # the parts are what is tested


def test_every_format_has_an_extension_and_a_content_type() -> None:
    made = [
        Recipe(format=image_format, background=Color(color="#ffffff") if image_format == "jpg" else None)
        for image_format in get_args(Format)
    ]
    assert [(recipe.extension, recipe.content_type) for recipe in made] == [
        ("png", "image/png"),
        ("webp", "image/webp"),
        ("jpg", "image/jpeg"),
        ("png", "image/png"),
    ]


def test_recipes_can_be_keys() -> None:
    made = [Recipe(effect=effect, crop=crop) for effect, crop in itertools.product(get_args(Effect), (None, Crop()))]
    assert len({*made, *made}) == len(made)
