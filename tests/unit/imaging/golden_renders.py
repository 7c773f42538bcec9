"""What this version of the renderer makes of one scene, kept as files.

Run `python -m tests.unit.imaging.golden_renders` from the repository's root to write them for a new version.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from events.recipe import RENDERER_VERSION, Color, Crop, Recipe
from imaging.photo import Photo
from imaging.render import Renderer
from tests.unit.imaging.scenes import composite

DIRECTORY: Final = Path(__file__).parent / "golden" / f"v{RENDERER_VERSION}"

RECIPES: Final = {
    "plain": Recipe(),
    "cropped": Recipe(crop=Crop(margin=4)),
    "small": Recipe(max_side=48),
    "black_white": Recipe(effect="black_white"),
    "on_magenta": Recipe(background=Color(color="#ff00ff")),
    "webp": Recipe(format="webp"),
    "jpeg": Recipe(format="jpg", background=Color(color="#ffffff"), crop=Crop(margin=10), max_side=64),
    "mask": Recipe(format="mask", max_side=64),
}


def renders() -> dict[str, bytes]:
    """Every recipe's file, by the name it is kept under."""
    scene = composite(72, 96)
    renderer = Renderer(Photo(scene.rgb), scene.alpha)
    return {f"{name}.{recipe.extension}": renderer.render(recipe).data for name, recipe in RECIPES.items()}


def main() -> None:
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for name, data in renders().items():
        (DIRECTORY / name).write_bytes(data)


if __name__ == "__main__":
    main()
