"""What this version of the renderer makes of a scene, kept as files.

Run `python -m tests.unit.imaging.golden_renders` from the repository's root to write them for a new version.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, get_args

from events.recipe import (
    RENDERER_VERSION,
    Blur,
    Color,
    Crop,
    Effect,
    Gradient,
    Outline,
    Picture,
    Position,
    Recipe,
    Shadow,
)
from imaging.photo import Photo
from imaging.render import Renderer
from tests.unit.imaging.scenes import Scene, composite, texture

DIRECTORY: Final = Path(__file__).parent / "golden" / f"v{RENDERER_VERSION}"

_USUAL: Final = {
    "plain": Recipe(),
    "cropped": Recipe(crop=Crop(margin=4)),
    "cropped_px": Recipe(crop=Crop(margin_px=7)),
    "small": Recipe(max_side=48),
    "black_white": Recipe(effect="black_white"),
    "on_magenta": Recipe(background=Color(color="#ff00ff")),
    "webp": Recipe(format="webp"),
    "jpeg": Recipe(format="jpg", background=Color(color="#ffffff"), crop=Crop(margin=10), max_side=64),
    "mask": Recipe(format="mask", max_side=64),
    "sticker": Recipe(outline=Outline(width=30), shadow=Shadow(y=20), max_side=64),
    "on_gradient": Recipe(background=Gradient(colors=("#ff0000", "#ffff00", "#0000ff"), angle=45), max_side=64),
    "on_picture": Recipe(background=Picture(asset="0" * 64), max_side=64),
    "out_of_focus": Recipe(background=Blur(radius=60), max_side=64),
    "placed": Recipe(background=Color(color="#ffffff"), scale=70, position=Position(x=100, y=100), max_side=64),
    "avif": Recipe(format="avif", max_side=64),
    **{
        effect: Recipe(effect=effect, max_side=64)
        for effect in get_args(Effect)
        if effect not in {"none", "black_white"}
    },
}
_WIDE: Final = {"preview": Recipe(size="preview"), "medium": Recipe(size="medium", format="webp")}
"""Of a scene that is longer than each of these sizes."""
RECIPES: Final = _USUAL | _WIDE


def renders() -> dict[str, bytes]:
    """Every recipe's file, by the name it is kept under."""
    return _rendered(composite(72, 96), _USUAL) | _rendered(composite(96, 2200), _WIDE)


def _rendered(scene: Scene, recipes: dict[str, Recipe]) -> dict[str, bytes]:
    picture = Photo(texture(40, 30, (90, 160, 220), 30, 3))
    renderer = Renderer(Photo(scene.rgb), scene.alpha, lambda _asset: picture)
    return {f"{name}.{recipe.extension}": renderer.render(recipe).data for name, recipe in recipes.items()}


def main() -> None:
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for name, data in renders().items():
        (DIRECTORY / name).write_bytes(data)


if __name__ == "__main__":
    main()
