"""What each effect promises, on any subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.recipe import Effect
from imaging.effects import applied
from imaging.layer import Layer, bounds, visible
from tests.unit.imaging.scenes import composite, sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imaging.photo import Rgb

EFFECTS: Final[tuple[Effect, ...]] = get_args(Effect)
PIXELATED: Final = ("dither", "eight_bit")
GRAY: Final = ("black_white", "enhanced_black_white")

every_effect = pytest.mark.parametrize("effect", EFFECTS)


def scene(height: int = 180, width: int = 240) -> Layer:
    made = composite(height, width)
    return visible(made.truth, made.alpha)


def enlarged(layer: Layer, factor: int) -> Layer:
    size = layer.alpha.shape[1] * factor, layer.alpha.shape[0] * factor
    rgb, alpha = (cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in layer)
    return visible(np.asarray(rgb, np.uint8), np.asarray(alpha, np.uint8))


def colors_of(layer: Layer) -> NDArray[np.int64]:
    """(colours, 3): those of opaque pixels."""
    return np.unique(layer.rgb[layer.alpha == 255], axis=0).astype(np.int64)


def seen(layer: Layer, blur: float) -> NDArray[np.float32]:
    """Over mid grey, from some way off."""
    share = layer.alpha[..., None].astype(np.float32) / 255
    return np.asarray(cv2.GaussianBlur(layer.rgb * share + 128 * (1 - share), (0, 0), blur), np.float32)


@pytest.fixture(scope="module")
def cat() -> Layer:
    photo, matte = sample("cat.jpg")
    return visible(photo.rgb, matte)


@every_effect
@settings(deadline=None, max_examples=25)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
    opacity=st.sampled_from([(0, 1), (1, 16), (0, 256), (120, 135), (255, 256)]),
)
def test_any_layer_keeps_its_size_and_has_no_colour_where_it_is_transparent(
    effect: Effect, height: int, width: int, seed: int, opacity: tuple[int, int]
) -> None:
    random = np.random.default_rng(seed)
    alpha = random.integers(*opacity, (height, width), np.uint8)
    layer = visible(random.integers(0, 256, (height, width, 3), np.uint8), alpha)
    before = layer.rgb.copy(), layer.alpha.copy()
    changed = applied(effect, layer)
    assert [plane.shape for plane in changed] == [(height, width, 3), (height, width)]
    assert {plane.dtype.name for plane in changed} == {"uint8"}
    assert not changed.rgb[changed.alpha == 0].any()
    assert np.array_equal(before[0], layer.rgb)
    assert np.array_equal(before[1], layer.alpha)


@every_effect
def test_an_effect_gives_the_same_pixels_each_time(effect: Effect, cat: Layer) -> None:
    first, second = applied(effect, cat), applied(effect, cat)
    assert np.array_equal(first.rgb, second.rgb)
    assert np.array_equal(first.alpha, second.alpha)


@every_effect
def test_an_effect_changes_something_unless_it_is_none(effect: Effect, cat: Layer) -> None:
    assert (effect == "none") == np.array_equal(applied(effect, cat).rgb, cat.rgb)


@every_effect
def test_opacity_stays_but_for_effects_of_large_pixels(effect: Effect, cat: Layer) -> None:
    alpha = applied(effect, cat).alpha
    if effect in PIXELATED:
        assert set(np.unique(alpha)) == {0, 255}
        around = np.ones((15, 15), np.uint8)
        assert (alpha[cv2.erode(cat.alpha, around) > 200] == 255).all()
        assert not alpha[cv2.dilate(cat.alpha, around) < 50].any()
    else:
        assert np.array_equal(alpha, cat.alpha)


@every_effect
def test_more_room_around_a_subject_changes_nothing_about_it(effect: Effect) -> None:
    layer = scene()
    roomy = Layer(
        np.pad(layer.rgb, ((50, 70), (30, 200), (0, 0))),
        np.pad(layer.alpha, ((50, 70), (30, 200))),
    )
    inside = applied(effect, roomy)
    alone = applied(effect, layer)
    assert np.array_equal(inside.rgb[50:230, 30:270], alone.rgb)
    assert np.array_equal(inside.alpha[50:230, 30:270], alone.alpha)


@every_effect
def test_a_preview_looks_like_the_full_picture(effect: Effect) -> None:
    """Dots and pixels stand in the same places: seen from afar, both are the same picture."""
    full = enlarged(scene(480, 640), 2)
    preview = scene(480, 640)
    large = seen(applied(effect, full), 16)[::2, ::2]
    small = seen(applied(effect, preview), 8)
    assert np.abs(large - small).mean() < 4


@pytest.mark.parametrize("effect", GRAY)
def test_black_and_white_has_no_colour(effect: Effect, cat: Layer) -> None:
    rgb = applied(effect, cat).rgb
    assert (rgb == rgb[..., :1]).all()


def test_enhanced_black_and_white_uses_all_tones_where_the_plain_one_is_dull(cat: Layer) -> None:
    dull = cat._replace(rgb=np.asarray(cv2.copyTo(cat.rgb // 2 + 60, cat.alpha), np.uint8))
    opaque = cat.alpha == 255
    plain, enhanced = (applied(effect, dull).rgb[opaque, 0] for effect in GRAY)
    spread = [np.subtract(*np.percentile(tones, (98, 2))) for tones in (plain, enhanced)]
    assert spread[0] < 110
    assert spread[1] > 1.5 * spread[0]


def test_sepia_is_warm_and_keeps_the_order_of_tones() -> None:
    steps = np.repeat(np.arange(0, 256, 5), 4).astype(np.uint8)
    gray = np.dstack([np.tile(steps, (8, 1))] * 3)
    rgb = applied("sepia", Layer(gray, np.full(gray.shape[:2], 255, np.uint8))).rgb[0].astype(int)
    assert (np.diff(rgb, axis=0) >= 0).all()
    assert (rgb[:, 0] >= rgb[:, 1]).all()
    assert (rgb[:, 1] >= rgb[:, 2]).all()


def test_dither_has_ink_and_paper_in_the_shares_of_the_tone() -> None:
    tone = np.zeros((200, 400, 3), np.uint8)
    tone[:, :] = np.linspace(0, 255, 400).astype(np.uint8)[None, :, None]
    changed = applied("dither", Layer(tone, np.full((200, 400), 255, np.uint8)))
    assert len(colors_of(changed)) == 2
    light = changed.rgb[..., 0] > 128
    shares = light.reshape(200, 10, 40).mean(axis=(0, 2))
    assert shares[0] < 0.05
    assert shares[-1] > 0.95
    assert (np.diff(shares) > -0.02).all()


def test_eight_bit_has_sixteen_colours_in_square_blocks() -> None:
    """The subject is 96 px high: pixels of 2 px."""
    layer = scene(144, 160)
    box = bounds(layer.alpha, 1)
    assert box is not None
    changed = applied("eight_bit", layer)
    assert 4 <= len(colors_of(changed)) <= 16
    rows, columns = box.slices
    part = changed.rgb[rows, columns].astype(int)
    repeated = (np.diff(part, axis=1) == 0).all(axis=2).mean()
    assert repeated > 0.5


@pytest.mark.parametrize(
    ("color", "channel"),
    [((0, 255, 255), 0), ((255, 0, 255), 1), ((255, 255, 0), 2)],
    ids=["cyan", "magenta", "yellow"],
)
def test_halftone_prints_a_pure_colour_in_its_ink(color: tuple[int, int, int], channel: int) -> None:
    flat = np.full((120, 120, 3), color, np.uint8)
    printed = applied("halftone", Layer(flat, np.full((120, 120), 255, np.uint8))).rgb
    means = printed.reshape(-1, 3).mean(axis=0)
    assert means[channel] == means.min()
    assert len(np.unique(printed.reshape(-1, 3), axis=0)) <= 3


def test_halftone_leaves_white_paper_white() -> None:
    white = np.full((120, 120, 3), 255, np.uint8)
    assert (applied("halftone", Layer(white, np.full((120, 120), 255, np.uint8))).rgb == 255).all()


def test_halftone_dots_cover_more_of_the_paper_the_darker_the_tone() -> None:
    covered = []
    for tone in (230, 180, 130, 80, 30):
        flat = np.full((200, 200, 3), tone, np.uint8)
        covered.append(applied("halftone", Layer(flat, np.full((200, 200), 255, np.uint8))).rgb.mean())
    assert covered == sorted(covered, reverse=True)
    assert covered[0] > 200
    assert covered[-1] < 50


def test_pop_art_is_mostly_flat_areas_of_all_its_colours(cat: Layer) -> None:
    rgb = applied("pop_art", cat).rgb[cat.alpha == 255]
    _, counts = np.unique(rgb, axis=0, return_counts=True)
    largest = np.sort(counts)[-5:] / len(rgb)
    assert largest.sum() > 0.5
    assert largest.min() > 0.03


def test_a_sketch_is_mostly_paper_with_a_contour_around_the_subject() -> None:
    layer = scene(400, 400)
    flat = Layer(visible(np.full((400, 400, 3), 200, np.uint8), layer.alpha).rgb, layer.alpha)
    drawn = applied("sketch", flat).rgb[..., 0]
    inside = cv2.erode(layer.alpha, np.ones((21, 21), np.uint8)) == 255
    edge = (layer.alpha > 90) & (layer.alpha < 160)
    assert drawn[inside].mean() > 235
    assert drawn[edge].mean() < 150


def test_a_sketch_shades_what_is_dark() -> None:
    rgb = np.full((300, 300, 3), 230, np.uint8)
    rgb[100:200, 100:200] = 30
    drawn: Rgb = applied("sketch", Layer(rgb, np.full((300, 300), 255, np.uint8))).rgb
    assert drawn[120:180, 120:180].mean() < drawn[20:80, 20:80].mean() - 60
