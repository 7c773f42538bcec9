"""`make effects`: a picture of everything that a recipe can say, and the page that shows them.

The sample photos and their mattes are part of the repository, so the same code makes the same pictures.
"""

from __future__ import annotations

import hashlib
import sys
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from PIL import Image

from events.recipe import Recipe
from events.validation import convert
from imaging.decode import decode
from imaging.matte import decode_matte
from imaging.render import Renderer
from local.contact_sheet import checkerboard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["EXAMPLES", "Example", "main", "page", "strips"]

_ROOT: Final = Path(__file__).parent.parent
_PHOTOS: Final = _ROOT / "assets" / "photos"
_MATTES: Final = _ROOT / "tests" / "unit" / "imaging" / "mattes"
_PAGE: Final = _ROOT / "docs" / "effects.md"
_PICTURES: Final = _ROOT / "docs" / "images" / "effects"
_COSTS: Final = _ROOT / "bench" / "results" / "effects.json"

_NAMES: Final = ("astronaut", "cat", "flower")
_CELL: Final = 320  # px
_GAP: Final = 8
_QUALITY: Final = 80
_TEMPLE: Final = hashlib.sha256((_PHOTOS / "temple.jpg").read_bytes()).hexdigest()
_COST_TITLE: Final = "## What it costs"


class Example(NamedTuple):
    """Recipes as they are written in a request, and the photos of which each makes a picture, from left to right."""

    name: str
    text: str
    recipes: tuple[dict[str, Any], ...]
    photos: tuple[str, ...] = _NAMES


def _effect(name: str, text: str) -> Example:
    """Close to the subject: that is what an effect changes."""
    asked = {} if name == "none" else {"effect": name}
    return Example(name, text, ({**asked, "crop": {"margin": 4}, "max_side": _CELL},))


def _part(name: str, text: str, recipe: dict[str, Any]) -> Example:
    return Example(name, text, ({**recipe, "max_side": _CELL},))


_EFFECTS: Final = (
    _effect("none", "The subject as it is, with the background's colour taken out of its edge."),
    _effect("black_white", "BT.709 luma, as television shows colour in black and white."),
    _effect(
        "enhanced_black_white",
        "A darkroom print: tones from black to white, details raised without halos, contrast by an S-curve.",
    ),
    _effect(
        "pop_art",
        "A screen print: five loud, flat colours by tone, each with its share, and ink lines.",
    ),
    _effect(
        "halftone",
        "Four inks on white paper, in dots on grids that are turned against each other; 120 dots along the subject.",
    ),
    _effect(
        "dither",
        "Ink and paper alone, by Atkinson's error diffusion; 220 pixels along the subject.",
    ),
    _effect(
        "eight_bit",
        "Sixteen of the subject's own colours, made stronger; 88 pixels along the subject.",
    ),
    _effect("sketch", "Graphite: lines where tones change, hatching in the shadows, a contour."),
    _effect("sepia", "An old print, from dark brown to cream."),
)
_PARTS: Final = (
    _part("color", "A flat colour.", {"background": {"kind": "color", "color": "#ffd166"}}),
    _part(
        "gradient",
        "As CSS draws `linear-gradient(135deg, #fdeb71, #ff6a88)`: a page can show it before the result is there.",
        {"background": {"kind": "gradient", "colors": ["#fdeb71", "#ff6a88"], "angle": 135}},
    ),
    _part(
        "blur",
        "The photo's own background out of focus. The subject is taken out of it first, so that no halo is left.",
        {"background": {"kind": "blur"}},
    ),
    _part(
        "image",
        "An image of the storefront's own, named by its SHA-256; it covers the frame around its middle.",
        {"background": {"kind": "image", "asset": _TEMPLE}},
    ),
    Example(
        "crop",
        "The photo's frame, then to the subject: with a margin in percent of its longer side, and in px of the photo.",
        tuple({**recipe, "max_side": _CELL} for recipe in ({}, {"crop": {"margin": 5}}, {"crop": {"margin_px": 60}})),
        photos=("flower",),
    ),
    _part(
        "place",
        "A scale is the percentage of the frame that the subject fills, wide or high; a position divides what is free.",
        {"scale": 60, "position": {"x": 100, "y": 100}, "background": {"kind": "blur", "radius": 30}},
    ),
    _part(
        "shadow",
        "Under the subject and its outline. Lengths are thousandths of the result's longer side.",
        {"shadow": {"y": 20, "blur": 16}, "background": {"kind": "color", "color": "#f4f1ea"}},
    ),
    _part(
        "outline",
        "A sticker: a smooth line around the subject, and a backing under it.",
        {"outline": {"width": 20}, "scale": 88, "background": {"kind": "color", "color": "#8ecae6"}},
    ),
    _part(
        "together",
        "All at once.",
        {
            "effect": "pop_art",
            "scale": 82,
            "outline": {"width": 18},
            "shadow": {"y": 16},
            "background": {"kind": "gradient", "colors": ["#00b4b4", "#005f73"]},
        },
    ),
)
EXAMPLES: Final = (*_EFFECTS, *_PARTS)
_HEAD: Final = """# Effects, backgrounds, outlines

Everything on this page is a recipe; the fields and their limits are in the [README](../README.md#recipe). `make
effects` draws the pictures from the sample photos and writes the page. Each picture is what the recipe above it makes:
`max_side` keeps it small, and effects are shown cropped to the subject.

Effects change the subject alone. Their dots, pixels and strokes are sized by the subject, so a preview looks like the
full picture. They are applied after crop, scale and position; then come outline, shadow and background. The frame
stays: what reaches beyond it is cut off, and a crop's margin or a smaller scale gives room.
"""


def main() -> int:
    """Exit status 0 once all pictures and the page are written."""
    _PICTURES.mkdir(parents=True, exist_ok=True)
    wanted = {f"{example.name}.webp" for example in EXAMPLES}
    for path in _PICTURES.iterdir():
        if path.name not in wanted:
            path.unlink()
    for name, strip in strips():
        strip.save(_PICTURES / f"{name}.webp", "WEBP", quality=_QUALITY, method=6)
    costs = _cost_table(msgspec.json.decode(_COSTS.read_bytes())) if _COSTS.is_file() else _last_costs()
    _PAGE.write_text(page(costs), encoding="utf-8")
    size = sum(path.stat().st_size for path in _PICTURES.iterdir())
    sys.stdout.write(f"written: {_PAGE} and {len(wanted)} pictures, {size / 1e6:.2f} MB\n")
    return 0


def strips() -> Iterator[tuple[str, Image.Image]]:
    """What the pictures show, by the names of the examples."""
    renderers = {name: _renderer(name) for name in _NAMES}
    for example in EXAMPLES:
        photos = [renderers[name] for name in example.photos]
        yield example.name, _strip(photos, [convert(recipe, Recipe) for recipe in example.recipes])


def page(costs: str) -> str:
    """The text of the page; `costs` is its last section, or empty."""
    sections = (
        _HEAD,
        "## Effects\n",
        _shown(_EFFECTS),
        "## Background, frame, outline, shadow\n",
        _shown(_PARTS),
        costs,
    )
    return "\n".join(section for section in sections if section)


def _shown(examples: Iterable[Example]) -> str:
    return "\n".join(
        f"### {example.name}\n\n{example.text}\n\n{_written(example.recipes)}\n"
        f"![{example.name}](images/effects/{example.name}.webp)\n"
        for example in examples
    )


def _written(recipes: Iterable[Mapping[str, Any]]) -> str:
    return "".join(f"    {msgspec.json.encode(recipe).decode()}\n" for recipe in recipes)


def _renderer(name: str) -> Renderer:
    photo = decode((_PHOTOS / f"{name}.jpg").read_bytes())
    matte = decode_matte((_MATTES / f"{name}.png").read_bytes())
    return Renderer(photo, matte, lambda _asset: decode((_PHOTOS / "temple.jpg").read_bytes()))


def _strip(photos: Sequence[Renderer], recipes: Sequence[Recipe]) -> Image.Image:
    """The results side by side, over a checkerboard where they are transparent."""
    made = (photo.render(recipe) for recipe in recipes for photo in photos)
    images = [Image.open(BytesIO(rendering.data)).convert("RGBA") for rendering in made]
    strip = Image.new("RGB", (len(images) * (_CELL + _GAP) - _GAP, max(image.height for image in images)), "white")
    for column, image in enumerate(images):
        board = checkerboard(*image.size)
        board.paste(image, mask=image.getchannel("A"))
        left = column * (_CELL + _GAP) + (_CELL - image.width) // 2
        strip.paste(board, (left, (strip.height - image.height) // 2))
    return strip


def _cost_table(measured: Mapping[str, Any]) -> str:
    """The medians of what `bench.effects` measured."""
    sizes = sorted({int(size) for cost in measured["costs"] for size in cost["seconds"]})
    rows = [
        [cost["part"], *(f"{median(cost['seconds'][str(size)]):.3f}" for size in sizes)] for cost in measured["costs"]
    ]
    header = ["part", *(f"{size} MP" for size in sizes)]
    lines = [header, ["---", *["---:"] * len(sizes)], *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    told = f"Seconds of one core, measured by `python -m bench.effects` on {measured['at'][:10]}."
    return f"{_COST_TITLE}\n\n{told}\n\n{table}\n"


def _last_costs() -> str:
    """What the page says where nothing was measured on this machine."""
    text = _PAGE.read_text(encoding="utf-8") if _PAGE.is_file() else ""
    return text[text.index(_COST_TITLE) :] if _COST_TITLE in text else ""


if __name__ == "__main__":
    sys.exit(main())
