from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import InvalidMessageError, UnsupportedRecipeError
from events.recipe import (
    MAX_RECIPES,
    RENDERER_VERSION,
    Blur,
    Color,
    Crop,
    Effect,
    Format,
    Gradient,
    Outline,
    Picture,
    Position,
    Recipe,
    Shadow,
)
from events.validation import decode_json
from tests.unit.examples import RECIPE
from tests.unit.recipes import recipes

if TYPE_CHECKING:
    from random import Random


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
        (Recipe(format="mask", max_side=64), b'{"format":"mask","max_side":64}', "161f8d2cfe374a1df71780b3a821822a"),
        (
            Recipe(format="webp", crop=Crop(margin=5), max_side=800),
            b'{"crop":{"margin":5},"format":"webp","max_side":800}',
            "ba8904c9dbfb6cef10cfc46ac05468b3",
        ),
        (
            Recipe(
                effect="halftone",
                background=Gradient(colors=("#ffffff", "#ff8800"), angle=90),
                crop=Crop(margin_px=12),
                scale=80,
                position=Position(y=100),
                shadow=Shadow(blur=20),
                outline=Outline(),
                format="avif",
                size="medium",
                dpi=300,
            ),
            (
                b'{"background":{"angle":90,"colors":["#ffffff","#ff8800"],"kind":"gradient"},"crop":{"margin_px":12},'
                b'"dpi":300,"effect":"halftone","format":"avif","outline":{},"position":{"y":100},"scale":80,'
                b'"shadow":{"blur":20},"size":"medium"}'
            ),
            "173accc9a7f047a9a947f728ffdecc04",
        ),
        (Recipe(background=Blur()), b'{"background":{"kind":"blur"}}', "70b0faef09b38c6c4167595d7f35ff9f"),
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
        glow: bool = False
        tilt: float = 0.0

    later = Later(effect="black_white", crop=Crop(margin=3))
    assert later.digest() == Recipe(effect="black_white", crop=Crop(margin=3)).digest()
    assert msgspec.structs.replace(later, glow=True).digest() != later.digest()


@pytest.mark.parametrize(
    "parts",
    [
        {"format": "jpg"},
        {"format": "mask", "effect": "black_white"},
        {"format": "mask", "background": Color(color="#ffffff")},
        {"format": "mask", "shadow": Shadow()},
        {"format": "mask", "outline": Outline()},
    ],
)
def test_parts_that_do_not_go_together_are_refused_by_name(parts: dict[str, object]) -> None:
    with pytest.raises(UnsupportedRecipeError, match=list(parts)[-1] if len(parts) > 1 else "jpg"):
        Recipe(**parts)  # type: ignore[arg-type]  # the parts are what is tested


@pytest.mark.parametrize(
    ("written", "fields"),
    [
        (
            b'{"format":"mask","effect":"sepia","background":{"kind":"blur"},"shadow":{},"outline":{}}',
            {"$.effect", "$.background", "$.shadow", "$.outline"},
        ),
        (
            b'{"format":"mask","effect":"sepia","shadow":{"blur":-1},"max_side":1,"glow":1}',
            {"$.effect", "$.shadow", "$.shadow.blur", "$.max_side", "$.glow"},
        ),
        (b'{"format":"jpg","max_side":1}', {"$.background", "$.max_side"}),
        (b'{"format":"jpg","crop":{"margin":1,"margin_px":2}}', {"$.background", "$.crop.margin_px"}),
        (b'{"format":"mask","effect":7}', {"$.effect"}),
    ],
)
def test_fields_that_do_not_go_together_are_named_with_all_others(written: bytes, fields: set[str]) -> None:
    with pytest.raises(InvalidMessageError) as refusal:
        decode_json(written, Recipe)
    assert set(refusal.value.fields) == fields


def test_a_crop_has_one_margin() -> None:
    with pytest.raises(UnsupportedRecipeError, match="margin or margin_px, not both"):
        Crop(margin=1, margin_px=1)


@pytest.mark.parametrize(
    ("written", "problems"),
    [
        (b'{"crop":{"margin":101}}', {"$.crop.margin": "Expected `int` <= 100"}),
        (b'{"crop":{"margin_px":4097}}', {"$.crop.margin_px": "Expected `int` <= 4096"}),
        (b'{"scale":0,"dpi":2401}', {"$.scale": "Expected `int` >= 1", "$.dpi": "Expected `int` <= 2400"}),
        (b'{"position":{"x":-1,"z":2}}', {"$.position.x": "Expected `int` >= 0", "$.position.z": "not a known field"}),
        (
            b'{"background":{"kind":"image","asset":"../other/beach.jpg"}}',
            {"$.background.asset": "Expected `str` matching regex '^[0-9a-f]{64}$(?!\\\\n)'"},
        ),
        (b'{"background":{"kind":"blur","radius":4}}', {"$.background.radius": "Expected `int` >= 5"}),
        (
            b'{"background":{"kind":"gradient","colors":["#ffffff"],"angle":360}}',
            {"$.background.colors": "Expected `array` of length >= 2", "$.background.angle": "Expected `int` <= 359"},
        ),
        (
            b'{"shadow":{"opacity":0,"y":201}}',
            {"$.shadow.opacity": "Expected `int` >= 1", "$.shadow.y": "Expected `int` <= 200"},
        ),
        (b'{"outline":{"width":101}}', {"$.outline.width": "Expected `int` <= 100"}),
    ],
)
def test_a_value_beyond_its_limit_is_reported_with_the_limit(written: bytes, problems: dict[str, str]) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        decode_json(written, Recipe)
    assert caught.value.fields == problems


def test_as_many_recipes_as_may_be_fit_into_the_metadata_of_an_upload() -> None:
    """Google Cloud Storage takes 8 KiB of it for an object, and the traceparent needs some."""
    longest = Recipe(
        effect="enhanced_black_white",
        background=Picture(asset="f" * 64),
        crop=Crop(margin_px=4096),
        scale=100,
        position=Position(x=100, y=100),
        shadow=Shadow(color="#ffffff", opacity=100, blur=100, x=-200, y=-200),
        outline=Outline(color="#fffffe", width=100),
        format="avif",
        size="preview",
        max_side=16384,
        dpi=2400,
    )
    assert MAX_RECIPES * (1 + len(longest.canonical())) < 7000


@pytest.mark.parametrize(
    ("recipe", "side"),
    [
        (Recipe(), None),
        (Recipe(max_side=100), 100),
        (Recipe(size="preview"), 640),
        (Recipe(size="medium"), 1920),
        (Recipe(size="medium", max_side=5000), 1920),
        (Recipe(size="medium", max_side=500), 500),
    ],
)
def test_of_two_limits_of_size_the_smaller_one_counts(recipe: Recipe, side: int | None) -> None:
    assert recipe.longest_side == side


def test_every_format_has_an_extension_and_a_content_type() -> None:
    made = [
        Recipe(format=image_format, background=Color(color="#ffffff") if image_format == "jpg" else None)
        for image_format in get_args(Format)
    ]
    assert [(recipe.extension, recipe.content_type) for recipe in made] == [
        ("png", "image/png"),
        ("webp", "image/webp"),
        ("jpg", "image/jpeg"),
        ("avif", "image/avif"),
        ("png", "image/png"),
    ]


def test_recipes_can_be_keys() -> None:
    made = [Recipe(effect=effect, crop=crop) for effect, crop in itertools.product(get_args(Effect), (None, Crop()))]
    assert len({*made, *made}) == len(made)
