"""The same recipe keeps giving the same picture, or the renderer's version is raised."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from events.recipe import RENDERER_VERSION
from tests.unit.imaging.golden_renders import DIRECTORY, RECIPES, renders

ADVICE = (
    f"rendering differs from what version {RENDERER_VERSION} is known for. If that is wanted, raise RENDERER_VERSION "
    "in events/recipe.py, or old results will be served as new, and run `python -m tests.unit.imaging.golden_renders`"
)
TOLERANCES = {"png": (2, 0.25), "webp": (24, 1.5), "jpg": (24, 1.5), "avif": (24, 1.5)}
"""By extension, of 255: largest and mean difference that another processor or codec build may make."""

HARD_EDGES = {"pop_art.png", "halftone.png", "dither.png", "eight_bit.png"}
"""Where a difference of one level may turn ink into paper: only the mean tells."""


def pixels(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    """As premultiplied RGBA: the colour of what can't be seen is a codec's own business."""
    rgba = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")).astype(np.int32)
    return np.dstack((rgba[..., :3] * rgba[..., 3:] // 255, rgba[..., 3]))


@pytest.fixture(scope="module")
def rendered() -> dict[str, bytes]:
    return renders()


@pytest.mark.parametrize("name", [f"{name}.{recipe.extension}" for name, recipe in RECIPES.items()])
def test_a_recipe_renders_as_this_version_always_did(name: str, rendered: dict[str, bytes]) -> None:
    assert (DIRECTORY / name).is_file(), ADVICE
    expected, actual = pixels((DIRECTORY / name).read_bytes()), pixels(rendered[name])
    assert actual.shape == expected.shape, ADVICE
    difference = np.abs(actual - expected)
    largest, mean = TOLERANCES[name.rpartition(".")[2]]
    if name in HARD_EDGES:
        largest, mean = 255, 3.0
    assert difference.max() <= largest, ADVICE
    assert difference.mean() <= mean, ADVICE


def test_nothing_is_kept_that_is_not_rendered() -> None:
    assert {path.name for path in DIRECTORY.iterdir()} == set(renders())
